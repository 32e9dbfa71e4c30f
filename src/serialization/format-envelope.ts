import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { formatJson, type JsonForm } from './json.js'

/** How each envelope begins; what follows is the payload. */
const BODY = '{"body":"'

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

/**
 * Write an envelope. Everything that the protocol demands is filled in: a fresh delivery tag, base64, priority 0,
 * persistent delivery.
 *
 * @param form - How dates and the like in headers and properties are written.
 * @throws {@link EncodeError} when a header or property cannot be written; its path starts with their names.
 */
export function formatEnvelope(envelope: OutgoingEnvelope, form: JsonForm = 'tagged'): string {
  const headers = formatJson(envelope.headers ?? {}, form, 'headers')
  const properties = formatJson(envelope.properties ?? {}, form, 'properties')
  return joinEnvelope(envelope, headers, properties, form)
}

/**
 * The same as bytes, for a large payload: a text would be copied several times more on its way to the server.
 *
 * @throws {@link EncodeError}
 */
export function envelopeBytes(envelope: OutgoingEnvelope): Buffer {
  const around = formatEnvelope({ ...envelope, payload: '' })
  const body = encodeBase64(envelope.payload)
  const bytes = Buffer.allocUnsafe(BODY.length + body.length + 3 * (around.length - BODY.length))
  let end = bytes.write(BODY, 'latin1')
  end += bytes.write(body, end, 'latin1')
  end += bytes.write(around.slice(BODY.length), end, 'utf8')
  return bytes.subarray(0, end)
}

/**
 * The same with headers and properties that are JSON already: the text of an object each.
 *
 * @throws {@link EncodeError} for a priority that is no number.
 */
export function joinEnvelope(
  envelope: Omit<OutgoingEnvelope, 'headers' | 'properties'>,
  headers: string,
  properties: string,
  form: JsonForm,
): string {
  // Put together from parts, because one large object takes three times as long.
  return (
    `${BODY}${encodeBase64(envelope.payload)}"` +
    `,"content-encoding":${JSON.stringify(envelope.contentEncoding)}` +
    `,"content-type":${JSON.stringify(envelope.contentType)}` +
    `,"headers":${headers}` +
    `,"properties":{${membersOf(properties)}"delivery_mode":${envelope.deliveryMode ?? 2}` +
    `,"delivery_info":{"exchange":${JSON.stringify(envelope.exchange)}` +
    `,"routing_key":${JSON.stringify(envelope.routingKey)}}` +
    `,"priority":${formatJson(envelope.priority ?? 0, form, 'priority')}` +
    `,"body_encoding":"base64"` +
    `,"delivery_tag":${JSON.stringify(envelope.deliveryTag ?? randomUUID())}}}`
  )
}

/** Members of an object, each followed by a comma. */
function membersOf(object: string): string {
  return object === '{}' ? '' : `${object.slice(1, -1)},`
}

function encodeBase64(payload: string | Uint8Array): string {
  if (typeof payload === 'string') return Buffer.from(payload, 'utf8').toString('base64')
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64')
}
