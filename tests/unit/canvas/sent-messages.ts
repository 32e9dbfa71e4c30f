import { createPrepareCanvas } from '../../../src/app/apply-canvas.js'
import { createSender } from '../../../src/app/send-task.js'
import { createSignalBus } from '../../../src/app/signals.js'
import { resolveSettings } from '../../../src/app/settings.js'
import { silentLog } from '../../../src/log.js'
import { createMemoryBackend } from '../../../src/results/memory-backend.js'
import { decodeBody } from '../../../src/serialization/decode-body.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { resolveAcceptContent } from '../../../src/serialization/serializers.js'
import { wireOptions } from '../../../src/canvas/signature.js'
import type { Broker } from '../../../src/broker/broker.js'
import type { ResultNode } from '../../../src/canvas/freeze.js'
import type { RecordedMessage } from './vectors.js'

const accepted = resolveAcceptContent(['json'])

export function readMessage(text: string): RecordedMessage {
  const envelope = parseEnvelope(text)
  const bodyText = Buffer.from(envelope.body, 'base64').toString('utf8')
  return {
    headers: envelope.headers,
    properties: envelope.properties,
    bodyText,
    body: decodeBody(envelope, accepted) as RecordedMessage['body'],
  }
}

export interface Sent {
  readonly messages: readonly RecordedMessage[]
  readonly texts: readonly string[]
  /** Sizes of chords by their groups, and when they were announced: how many messages had gone out before. */
  readonly chords: readonly { readonly groupId: string; readonly size: number; readonly after: number }[]
  readonly result: ResultNode
}

/** What an app sends for a signature. Nothing leaves the process. */
export async function sentBy(
  signature: unknown,
  options: Readonly<Record<string, unknown>> = {},
  args: readonly unknown[] = [],
): Promise<Sent> {
  const texts: string[] = []
  const chords: { groupId: string; size: number; after: number }[] = []
  const backend = createMemoryBackend()
  const recording = {
    ...backend,
    chords: {
      ...backend.chords,
      start(groupId: string, size: number) {
        chords.push({ groupId, size, after: texts.length })
        return Promise.resolve()
      },
    },
  }
  const publish: Broker['publish'] = ({ envelope }) => {
    texts.push(envelope)
    return Promise.resolve()
  }
  const replyTo = '574124b9-4ec9-3559-9c60-1fd55dee79df'
  const settings = resolveSettings({})
  const send = createSender({
    settings,
    broker: { publish, now: () => undefined } as unknown as Broker,
    backend: recording,
    replyTo,
    tracing: () => undefined,
    coordination: () => {
      throw new Error('nothing is unique')
    },
    revokeTasks: () => Promise.reject(new Error('nothing is unique')),
    log: () => silentLog,
    signals: createSignalBus(() => silentLog),
    taskOptions: () => undefined,
    taskSent: () => undefined,
  })
  const prepare = createPrepareCanvas({ send, settings, backend: recording, replyTo })
  const prepared = prepare(signature, { args, options: wireOptions(options) })
  await prepared.send()
  return { messages: texts.map(readMessage), texts, chords, result: prepared.result }
}
