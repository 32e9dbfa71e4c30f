import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { describeValue } from '../errors.js'
import { decompress } from './compression.js'
import {
  BadEnvelopeError,
  ContentDisallowedError,
  InvalidJsonError,
  UndecodableBodyError,
  UnsupportedCompressionError,
  UntrustedMessageError,
} from './errors.js'
import { findMembers, skipSpace } from './json-scanner.js'
import { formatJson, parseJson, type JsonForm } from './json.js'
import { isPlainRecord } from './plain-record.js'
import { serializerForContentType, type AcceptedContent } from './serializers.js'

/** Where a message went; unknown members are kept. */
export interface EnvelopeDeliveryInfo {
  /** `""` for the default exchange, whose routing key is the queue's name. */
  readonly exchange: string
  readonly routing_key: string
  /** True after a restore or requeue only. */
  readonly redelivered?: boolean
  readonly [unknown: string]: unknown
}

/** Properties by their wire names (wire protocol, section 2); unknown ones are kept. */
export interface EnvelopeProperties {
  readonly delivery_tag: string
  readonly delivery_info: EnvelopeDeliveryInfo
  /** 0 to 9; 0 where the message has none. */
  readonly priority: number
  readonly [unknown: string]: unknown
}

/** A message as it lies in a queue or is published on a channel. */
export interface Envelope {
  /** As in the message: base64 text where `properties.body_encoding` says so. */
  readonly body: string
  readonly contentType: string
  readonly contentEncoding: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: EnvelopeProperties
}

/** What {@link formatEnvelope} needs to write an envelope. */
export interface OutgoingEnvelope {
  /** Payload before base64. */
  readonly payload: string | Uint8Array
  readonly contentType: string
  readonly contentEncoding: string
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly exchange: string
  readonly routingKey: string
  /** @default 0 */
  readonly priority?: number | undefined
  /** @default 2 */
  readonly deliveryMode?: 1 | 2 | undefined
  /** More properties by their wire names (`correlation_id`, `reply_to`, `expiration`, …), none of those above. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  /** @default a fresh UUID4 */
  readonly deliveryTag?: string | undefined
}

/** Where a message is to go and how it is known while unacknowledged. */
export interface DeliveryInfo {
  readonly deliveryTag: string
  readonly exchange: string
  readonly routingKey: string
  readonly priority: number
}

/**
 * Read an envelope (wire protocol, section 2). Tolerates what Python's writers and readers tolerate: no headers,
 * no priority, a priority as text, no exchange; unknown members of headers and properties are kept.
 *
 * @throws {@link BadEnvelopeError} when the text is not JSON or lacks what a consumer needs: the body, its
 *   content type, a delivery tag.
 */
export function parseEnvelope(text: string): Envelope {
  const envelope = parseObject(text)
  const properties = requireMember(envelope, 'properties', isPlainRecord, 'an object')
  const headers = envelope['headers'] ?? {}
  if (!isPlainRecord(headers)) throw badMember('headers', 'an object or null', headers)
  const contentEncoding = envelope['content-encoding']
  requireMember(properties, 'delivery_tag', isText, 'a string')
  // Completed in place: nobody else has the object yet, and a copy takes longer than all the checks.
  properties['delivery_info'] = readInfo(properties['delivery_info'])
  properties['priority'] = readPriority(properties['priority'])
  return {
    body: requireMember(envelope, 'body', isString, 'a string'),
    contentType: requireMember(envelope, 'content-type', isString, 'a MIME type'),
    contentEncoding: isString(contentEncoding) ? contentEncoding : 'utf-8',
    headers,
    properties: properties as EnvelopeProperties & Record<string, unknown>,
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = parseJson(text)
  } catch (error) {
    if (!(error instanceof InvalidJsonError)) throw error
    throw new BadEnvelopeError(`the message is ${error.message}`, { cause: error })
  }
  if (isPlainRecord(value)) return value
  throw new BadEnvelopeError(`a message must be a JSON object, got ${describeValue(value)}`)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function requireMember<T>(
  object: Readonly<Record<string, unknown>>,
  name: string,
  isRight: (value: unknown) => value is T,
  expected: string,
): T {
  const value = object[name]
  if (isRight(value)) return value
  throw badMember(name, expected, value)
}

function badMember(name: string, expected: string, value: unknown): BadEnvelopeError {
  return new BadEnvelopeError(`the message's ${name} must be ${expected}, got ${describeValue(value)}`)
}

function readInfo(value: unknown): EnvelopeDeliveryInfo {
  const info = isPlainRecord(value) ? value : {}
  const { exchange, routing_key: routingKey } = info
  if (isString(exchange) && isString(routingKey)) return info as EnvelopeDeliveryInfo
  return {
    ...info,
    exchange: isString(exchange) ? exchange : '',
    routing_key: isString(routingKey) ? routingKey : '',
  }
}

function readPriority(value: unknown): number {
  const priority = typeof value === 'string' ? Number.parseInt(value, 10) : value
  return typeof priority === 'number' && Number.isFinite(priority) ? priority : 0
}

/**
 * Decode the body of a message: base64, then decompression, then its serializer.
 *
 * @throws {@link ContentDisallowedError} when the type is not accepted; nothing was decoded then.
 * @throws {@link UntrustedMessageError} when its serializer is `auth` and its signature does not hold.
 * @throws {@link UnsupportedCompressionError}
 * @throws {@link UndecodableBodyError} when the body is damaged. All four carry the task id if the headers do.
 */
export function decodeBody(envelope: Envelope, acceptContent: AcceptedContent): unknown {
  try {
    const serializer = acceptContent.get(envelope.contentType) ?? refuse(envelope.contentType, acceptContent)
    const { compression } = envelope.headers
    const payload = decodePayload(envelope)
    return serializer.decode(isText(compression) ? decompress(compression, payload) : payload)
  } catch (error) {
    const { id } = envelope.headers
    throw isString(id) ? withTaskId(error, id) : error
  }
}

function refuse(contentType: string, acceptContent: AcceptedContent): never {
  // It says more of pickle and of what nobody here could read.
  serializerForContentType(contentType)
  throw new ContentDisallowedError(
    `content type ${contentType} is refused: accept_content allows ${[...acceptContent.keys()].join(', ')}`,
  )
}

const KINDS = [
  ContentDisallowedError,
  UndecodableBodyError,
  UnsupportedCompressionError,
  UntrustedMessageError,
]

function withTaskId(error: unknown, taskId: string): unknown {
  for (const kind of KINDS) {
    if (error instanceof kind) return new kind(error.message, { cause: error.cause, taskId })
  }
  return error
}

/**
 * The body's bytes as they were before base64: still compressed where they are.
 *
 * @throws {@link UndecodableBodyError}
 */
export function decodePayload(envelope: Envelope): Uint8Array {
  const encoding = envelope.properties['body_encoding']
  switch (isString(encoding) ? encoding.toLowerCase() : encoding) {
    case 'base64':
      return decodeBase64(envelope.body)
    case 'utf-8':
    case undefined:
    case null:
      return Buffer.from(envelope.body, 'utf8')
    default:
      throw new UndecodableBodyError(`body_encoding must be base64 or utf-8, got ${describeValue(encoding)}`)
  }
}

/** Node.js skips what it does not know, so that damage shows only in the number of bytes. */
function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === base64Length(text)) return bytes
  // Line breaks are no damage.
  const compact = text.replace(/\s+/g, '')
  if (bytes.length === base64Length(compact)) return bytes
  throw new UndecodableBodyError(`the body is no base64, or cut off: ${text.length} characters`)
}

/** How many bytes padded base64 holds; -1 where its length cannot be. */
function base64Length(text: string): number {
  if (text.length % 4 !== 0) return -1
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  return (text.length / 4) * 3 - padding
}

/**
 * Write an envelope. Everything that the protocol demands is filled in: a fresh delivery tag, base64, priority 0,
 * persistent delivery.
 *
 * @param form - How dates and the like in headers and properties are written.
 * @throws {@link EncodeError} when a header or property cannot be written; its path starts with their names.
 */
export function formatEnvelope(envelope: OutgoingEnvelope, form: JsonForm = 'tagged'): string {
  const headers = formatJson(envelope.headers ?? {}, form, 'headers')
  const info = { exchange: envelope.exchange, routing_key: envelope.routingKey }
  // Put together from parts, because one large object takes three times as long.
  return (
    `{"body":"${encodeBase64(envelope.payload)}"` +
    `,"content-encoding":${JSON.stringify(envelope.contentEncoding)}` +
    `,"content-type":${JSON.stringify(envelope.contentType)}` +
    `,"headers":${headers}` +
    `,"properties":{${extraProperties(envelope.properties, form)}"delivery_mode":${envelope.deliveryMode ?? 2}` +
    `,"delivery_info":${JSON.stringify(info)}` +
    `,"priority":${formatJson(envelope.priority ?? 0, form, 'priority')}` +
    `,"body_encoding":"base64"` +
    `,"delivery_tag":${JSON.stringify(envelope.deliveryTag ?? randomUUID())}}}`
  )
}

/** Members of the properties object, each followed by a comma. */
function extraProperties(properties: Readonly<Record<string, unknown>> | undefined, form: JsonForm): string {
  if (properties === undefined) return ''
  const object = formatJson(properties, form, 'properties')
  return object === '{}' ? '' : `${object.slice(1, -1)},`
}

function encodeBase64(payload: string | Uint8Array): string {
  if (typeof payload === 'string') return Buffer.from(payload, 'utf8').toString('base64')
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64')
}

/**
 * Set `headers.redelivered` and `properties.delivery_info.redelivered` to true in an envelope that goes back to
 * its queue (wire protocol, section 7.3). Every other character stays as it is, big integers and unknown members
 * included. Where `headers` or `delivery_info` is missing or null, that flag is not set.
 *
 * @throws {@link BadEnvelopeError} when the text is no JSON object.
 */
export function markRedelivered(text: string): string {
  const start = skipSpace(text, 0)
  const envelope = findMembers(text, start, ['headers', 'properties'])
  if (envelope === undefined) throw new BadEnvelopeError('the message is no JSON object')
  const headers = envelope.get('headers')
  const properties = envelope.get('properties')
  const info =
    properties === undefined
      ? undefined
      : findMembers(text, properties.start, ['delivery_info'])?.get('delivery_info')
  const edits = [headers, info]
    .map((span) => (span === undefined ? undefined : redeliveredEdit(text, span.start, span.end)))
    .filter((edit) => edit !== undefined)
    // The last one first, so that the positions of the others stay right.
    .sort((a, b) => b.start - a.start)
  return edits.reduce(
    (marked, edit) => marked.slice(0, edit.start) + edit.text + marked.slice(edit.end),
    text,
  )
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** @returns Undefined where the value is no object. */
function redeliveredEdit(text: string, start: number, end: number): Edit | undefined {
  const members = findMembers(text, start, ['redelivered'])
  if (members === undefined) return undefined
  const present = members.get('redelivered')
  if (present !== undefined) return { ...present, text: 'true' }
  const isEmpty = text[skipSpace(text, start + 1)] === '}'
  return { start: end - 1, end: end - 1, text: `${isEmpty ? '' : ', '}"redelivered": true` }
}

/**
 * Where an envelope is to go, without decoding the rest of it.
 *
 * @throws {@link BadEnvelopeError} when there is no delivery tag.
 */
export function readDeliveryInfo(text: string): DeliveryInfo {
  const span = findMembers(text, skipSpace(text, 0), ['properties'])?.get('properties')
  if (span === undefined) throw new BadEnvelopeError('the message is no JSON object with properties')
  const properties = parseObject(text.slice(span.start, span.end))
  const info = readInfo(properties['delivery_info'])
  return {
    deliveryTag: requireMember(properties, 'delivery_tag', isText, 'a string'),
    exchange: info.exchange,
    routingKey: info.routing_key,
    priority: readPriority(properties['priority']),
  }
}
