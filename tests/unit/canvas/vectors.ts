import { pushedMessages } from '../serialization/vectors.js'
import { readMessage } from './sent-messages.js'

/** A task message, its body's text decoded from base64 but otherwise as it was written. */
export interface RecordedMessage {
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
  readonly bodyText: string
  readonly body: readonly [unknown[], Record<string, unknown>, Record<string, unknown>]
}

/** The messages that a scenario's call pushed. */
export function messagesOf(folder: string, name: string, call: string): RecordedMessage[] {
  const pushed = pushedMessages(folder, name).filter((message) => message.call === call)
  if (pushed.length === 0) throw new Error(`no message of ${JSON.stringify(call)} in ${name}`)
  return pushed.map(({ text }) => readMessage(text))
}
