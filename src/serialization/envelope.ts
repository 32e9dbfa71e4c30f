import { describeValue } from '../errors.js'
import { BadEnvelopeError, InvalidJsonError } from './errors.js'
import { findMembers, skipSpace } from './json-scanner.js'
import { parseJson } from './json.js'
import { isPlainRecord } from './plain-record.js'

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
