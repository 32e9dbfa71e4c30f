import { Buffer } from 'node:buffer'
import { compress } from './compression.js'
import { joinEnvelope } from './format-envelope.js'
import { formatJson, type JsonForm } from './json.js'
import { SIGNATURE_HEADER, type MessageSigner } from './message-signature.js'
import { serializerNamed, type Serializer } from './serializers.js'
import { formatTaskHeaders, withHeaders } from './task-headers.js'
import type { Signature } from './signature.js'

/** A task message to be sent. Whatever may be undefined has Celery's default. */
export interface OutgoingTask {
  readonly id: string
  /** Registered task name. */
  readonly task: string
  readonly args?: readonly unknown[] | undefined
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  /** Routing key: with the default exchange, the queue's name. */
  readonly queue: string
  /** @default '' */
  readonly exchange?: string | undefined
  readonly eta?: Date | undefined
  readonly expires?: Date | undefined
  /** 0 to 9. @default 0 */
  readonly priority?: number | undefined
  /** @default 0 */
  readonly retries?: number | undefined
  /** @default the task's own id */
  readonly rootId?: string | undefined
  readonly parentId?: string | undefined
  readonly group?: string | undefined
  readonly groupIndex?: number | undefined
  /** Seconds, the hard limit first, as on the wire. */
  readonly timeLimits?:
    readonly [hard: number | null | undefined, soft: number | null | undefined] | undefined
  readonly shadow?: string | undefined
  /** @default false */
  readonly ignoreResult?: boolean | undefined
  /** @default 0 */
  readonly replacedTaskNesting?: number | undefined
  readonly callbacks?: readonly Signature[] | undefined
  readonly errbacks?: readonly Signature[] | undefined
  /** The remaining chain steps in reverse order. */
  readonly chain?: readonly Signature[] | undefined
  readonly chord?: Signature | undefined
  /** Headers of the caller's own, next to the protocol's. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly stamps?: Readonly<Record<string, unknown>> | undefined
  readonly stampedHeaders?: readonly string[] | undefined
  /** @default '' */
  readonly replyTo?: string | undefined
  /** `gen<pid>@<hostname>` of the sender. @default '' */
  readonly origin?: string | undefined
  /** By its name, or itself where it is the application's own. @default 'json' */
  readonly serializer?: string | Serializer | undefined
  /** Signs the message. @default it is not signed */
  readonly signer?: MessageSigner | undefined
  /** Compression's name. @default none */
  readonly compression?: string | undefined
  /** @default 2 */
  readonly deliveryMode?: 1 | 2 | undefined
  /** @default a fresh UUID4 */
  readonly deliveryTag?: string | undefined
  /** More properties by their wire names. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  /** @default 'tagged' */
  readonly form?: JsonForm | undefined
  /** @default made from `args` */
  readonly argsrepr?: string | undefined
  /** @default made from `kwargs` */
  readonly kwargsrepr?: string | undefined
  /** Needed with `expires` only, for the property `expiration`. @default the present */
  readonly now?: Date | undefined
}

/**
 * Write a task message of protocol 2 with the headers of Celery 5.6 in its order (wire protocol, section 3.2).
 *
 * @returns The envelope's text, with a delivery tag of its own.
 * @throws {@link EncodeError} for what the serializer cannot hold; its path starts with `args` or `kwargs`.
 * @throws {@link InvalidArgumentError} for an unknown serializer.
 * @throws {@link UnsupportedCompressionError}
 */
export function encodeTaskMessage(task: OutgoingTask): string {
  const form = task.form ?? 'tagged'
  const { serializer: given = 'json' } = task
  const serializer = typeof given === 'string' ? serializerNamed(given, form) : given
  const args = task.args ?? []
  const kwargs = task.kwargs ?? {}
  let payload = encodeTaskBody(task, args, kwargs, serializer, form)
  let ownHeaders = task.headers
  if (task.compression !== undefined) {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload
    const compressed = compress(task.compression, bytes)
    ownHeaders = { ...ownHeaders, compression: compressed.header }
    payload = compressed.payload
  }
  let headers = withHeaders(formatTaskHeaders(task, args, kwargs, form), ownHeaders, form)
  const { contentType, contentEncoding } = serializer
  const { exchange = '', queue: routingKey, priority, deliveryMode, signer } = task
  if (signer !== undefined) {
    const written = JSON.parse(headers) as Record<string, unknown>
    const signed = { payload, contentType, contentEncoding, exchange, routingKey, headers: written }
    headers = formatJson({ ...written, [SIGNATURE_HEADER]: signer.sign(signed) }, form)
  }
  const envelope = {
    payload,
    contentType,
    contentEncoding,
    exchange,
    routingKey,
    priority,
    deliveryMode,
    deliveryTag: task.deliveryTag,
  }
  return joinEnvelope(envelope, headers, formatProperties(task, form), form)
}

function formatProperties(task: OutgoingTask, form: JsonForm): string {
  const { id, replyTo = '', expires, properties: more } = task
  if (expires === undefined && more === undefined)
    return `{"correlation_id":${JSON.stringify(id)},"reply_to":${JSON.stringify(replyTo)}}`
  const properties: Record<string, unknown> = { correlation_id: id, reply_to: replyTo }
  if (expires !== undefined) {
    const now = task.now?.getTime() ?? Date.now()
    properties['expiration'] = String(Math.max(0, expires.getTime() - now))
  }
  return formatJson({ ...properties, ...more }, form, 'properties')
}

const EMPTY_EMBED = { callbacks: null, errbacks: null, chain: null, chord: null }
const EMPTY_EMBED_JSON = JSON.stringify(EMPTY_EMBED)

function encodeTaskBody(
  task: OutgoingTask,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  serializer: Serializer,
  form: JsonForm,
): string | Uint8Array {
  const embed = embedOf(task)
  if (serializer.name !== 'json') return serializer.encode([args, kwargs, embed])
  const embedJson = embed === EMPTY_EMBED ? EMPTY_EMBED_JSON : formatJson(embed, form, 'embed')
  // One by one, so that an error names args or kwargs and not a position in the body.
  return `[${formatJson(args, form, 'args')},${formatJson(kwargs, form, 'kwargs')},${embedJson}]`
}

function embedOf(task: OutgoingTask): Readonly<Record<string, unknown>> {
  const { callbacks, errbacks, chain, chord } = task
  if (!hasItems(callbacks) && !hasItems(errbacks) && !hasItems(chain) && chord === undefined)
    return EMPTY_EMBED
  return {
    callbacks: hasItems(callbacks) ? callbacks : null,
    errbacks: hasItems(errbacks) ? errbacks : null,
    chain: hasItems(chain) ? chain : null,
    chord: chord ?? null,
  }
}

function hasItems(list: readonly unknown[] | undefined): boolean {
  return list !== undefined && list.length > 0
}
