import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'

/** A task message as Python sends it, to be bent. Members that are undefined are left out of the JSON. */
export interface RawMessage {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, unknown>>
  readonly properties?: Readonly<Record<string, unknown>>
  readonly [member: string]: unknown
}

/** A good message for `task` with `args`; `change` gets its parts and returns what to replace at the top. */
export function rawMessage(
  task: string,
  args: readonly unknown[] = [],
  change: (message: Required<RawMessage>) => RawMessage = () => ({}),
): { readonly id: string; readonly envelope: string } {
  const id = randomUUID()
  const message = {
    body: base64(JSON.stringify([args, {}, { callbacks: null, errbacks: null, chain: null, chord: null }])),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: { lang: 'py', task, id, root_id: id, retries: 0, timelimit: [null, null] },
    properties: {
      correlation_id: id,
      reply_to: randomUUID(),
      delivery_mode: 2,
      delivery_info: { exchange: '', routing_key: 'celery' },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
    },
  }
  return { id, envelope: JSON.stringify({ ...message, ...change(message) }) }
}

export function base64(payload: string | Uint8Array): string {
  return Buffer.from(payload).toString('base64')
}
