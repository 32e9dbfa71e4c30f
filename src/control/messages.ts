import { randomUUID } from 'node:crypto'
import { decodeBody } from '../serialization/decode-body.js'
import { describeValue, LovageError } from '../errors.js'
import { formatEnvelope } from '../serialization/format-envelope.js'
import { formatJson } from '../serialization/json.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import { isSigned, SIGNATURE_HEADER, type MessageSigner } from '../serialization/message-signature.js'
import { parseEnvelope } from '../serialization/envelope.js'
import { resolveAcceptContent } from '../serialization/serializers.js'
import type { ReplyAddress } from '../broker/replies.js'

/** Thrown where a message of remote control cannot be used. */
export class BadControlMessageError extends LovageError {
  readonly code = 'BAD_CONTROL_MESSAGE'
}

/** Whom a request is for (wire protocol, section 15.2); for everybody where nothing is said. */
export interface Addressees {
  readonly destination?: readonly string[] | undefined
  readonly pattern?: string | undefined
  /** `glob` or `pcre`. */
  readonly matcher?: string | undefined
}

export interface ControlRequest extends Addressees {
  readonly method: string
  readonly arguments: Readonly<Record<string, unknown>>
  /** Both where replies are wanted. */
  readonly ticket?: string | undefined
  readonly replyTo?: ReplyAddress | undefined
}

export interface ReceivedRequest extends ControlRequest {
  /** The sender's logical clock, as far as it tells. */
  readonly clock: number | undefined
}

export interface ReceivedReply {
  readonly ticket: string | undefined
  readonly clock: number | undefined
  /** By node name; of one node nearly always. */
  readonly replies: Readonly<Record<string, unknown>>
}

export interface ControlMessageOptions {
  readonly exchange: string
  /** Value of the sender's logical clock. */
  readonly clock: number
  readonly signer?: MessageSigner | undefined
}

export interface TrustOptions {
  readonly signer: MessageSigner | undefined
  readonly acceptsUnsigned: boolean
}

const ACCEPTED = resolveAcceptContent(['json'], undefined)
/** What JSON is read as, by Python too: UTF-8, and what is a part of it. */
const ENCODINGS: readonly string[] = ['utf-8', 'utf8', 'us-ascii', 'ascii', 'binary']

/** @param expiresAt - Unix seconds until when the sender waits for replies; 0 where it does not. */
export function formatRequest(
  { method, arguments: args, destination, pattern, matcher, ticket, replyTo }: ControlRequest,
  options: ControlMessageOptions & { readonly expiresAt: number },
): string {
  const body = {
    method,
    arguments: args,
    destination: destination ?? null,
    pattern: pattern ?? null,
    matcher: matcher ?? null,
    ...(replyTo && { ticket, reply_to: { exchange: replyTo.exchange, routing_key: replyTo.routingKey } }),
  }
  const { exchange, clock, expiresAt: expires } = options
  return format(body, { exchange, routingKey: '' }, { clock, expires }, 2, options.signer)
}

export function formatReply(
  node: string,
  reply: unknown,
  to: ReplyAddress,
  {
    ticket,
    clock,
    signer,
  }: Omit<ControlMessageOptions, 'exchange'> & { readonly ticket: string | undefined },
): string {
  return format({ [node]: reply }, to, { ticket, clock }, 1, signer)
}

function format(
  body: unknown,
  { exchange, routingKey }: ReplyAddress,
  headers: Readonly<Record<string, unknown>>,
  deliveryMode: 1 | 2,
  signer: MessageSigner | undefined,
): string {
  const message = {
    payload: formatJson(body),
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    exchange,
    routingKey,
    headers,
  }
  const signed =
    signer === undefined ? {} : { headers: { ...headers, [SIGNATURE_HEADER]: signer.sign(message) } }
  return formatEnvelope({ ...message, ...signed, deliveryMode, deliveryTag: randomUUID() })
}

/** @throws BadControlMessageError, and what reading an envelope and its body throws. */
export function readRequest(text: string, trust: TrustOptions): ReceivedRequest {
  const { body, headers } = read(text, trust)
  const { method, destination, pattern, matcher, ticket, reply_to: replyTo } = body
  const args = body['arguments'] ?? {}
  if (typeof method !== 'string') throw bad('method', 'a text', method)
  if (!isPlainRecord(args)) throw bad('arguments', 'an object', args)
  return {
    method,
    arguments: args,
    destination: readDestination(destination),
    pattern: textOf(pattern),
    matcher: textOf(matcher),
    ticket: textOf(ticket),
    replyTo: readReplyTo(replyTo),
    clock: clockOf(headers),
  }
}

/** @throws as {@link readRequest} does. */
export function readReply(text: string, trust: TrustOptions): ReceivedReply {
  const { body, headers } = read(text, trust)
  return { ticket: textOf(headers['ticket']), clock: clockOf(headers), replies: body }
}

function read(
  text: string,
  { signer, acceptsUnsigned }: TrustOptions,
): {
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, unknown>>
} {
  const envelope = parseEnvelope(text)
  if (signer !== undefined && (!acceptsUnsigned || isSigned(envelope))) signer.verify(envelope)
  const { contentEncoding } = envelope
  if (!ENCODINGS.includes(contentEncoding.toLowerCase()))
    throw bad('content-encoding', 'utf-8', contentEncoding)
  const body = decodeBody(envelope, ACCEPTED)
  if (!isPlainRecord(body)) throw bad('body', 'an object', body)
  return { body, headers: envelope.headers }
}

/** As Python: whatever is empty is for everybody, and a single name is good as well. */
function readDestination(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) throw bad('destination', 'a list of node names', value)
  return value.length === 0 ? undefined : value.map(String)
}

function readReplyTo(value: unknown): ReplyAddress | undefined {
  if (value === undefined || value === null) return undefined
  const { exchange, routing_key: routingKey } = isPlainRecord(value) ? value : {}
  if (typeof exchange === 'string' && typeof routingKey === 'string') return { exchange, routingKey }
  throw bad('reply_to', 'an object of exchange and routing_key', value)
}

function clockOf({ clock }: Readonly<Record<string, unknown>>): number | undefined {
  return Number.isSafeInteger(clock) ? (clock as number) : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function bad(name: string, expected: string, value: unknown): BadControlMessageError {
  return new BadControlMessageError(
    `the ${name} of a message of remote control must be ${expected}, got ${describeValue(value)}`,
  )
}
