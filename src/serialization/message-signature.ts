import { createHmac, timingSafeEqual } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { decodePayload } from './decode-body.js'
import type { Envelope } from './envelope.js'
import { InvalidArgumentError } from '../errors.js'
import { UntrustedMessageError } from './errors.js'

/** The header that holds the signature. Celery passes over it. */
export const SIGNATURE_HEADER = 'lovage_signature'

/** A message as far as its signature covers it. */
export interface SignedParts {
  readonly contentType: string
  readonly contentEncoding: string
  readonly exchange: string
  readonly routingKey: string
  readonly headers: Readonly<Record<string, unknown>>
  /** The body before base64, compressed where it is. */
  readonly payload: string | Uint8Array
}

/**
 * Signs messages with a secret that all who may send share (HMAC-SHA256): the setting `messageSecrets`.
 *
 * Covered are the body with its type, the queue, and the headers that say what is to run, as whose part, and when.
 * Not covered: priority, time limits, stamps and headers of the caller's own; nor is a message kept from being
 * sent again by somebody who has seen it.
 */
export interface MessageSigner {
  /** What {@link SIGNATURE_HEADER} is to hold. */
  sign(parts: SignedParts): string
  /** @throws {@link UntrustedMessageError} unless one of the secrets has signed it. Nothing is decoded. */
  verify(envelope: Envelope): void
}

/** In this order. Each is a text, an integer or null in every message of protocol 2. */
const SIGNED_HEADERS = [
  'task',
  'id',
  'root_id',
  'parent_id',
  'group',
  'group_index',
  'retries',
  'eta',
  'expires',
  'compression',
]

/** Whether it claims to be signed; the claim may be false. */
export function isSigned({ headers }: Envelope): boolean {
  return headers[SIGNATURE_HEADER] !== undefined
}

/** @param secrets - The first one signs; any may have signed what arrives, so that they can be exchanged one by one. */
export function createMessageSigner(secrets: readonly string[]): MessageSigner {
  const [signing] = secrets
  if (signing === undefined) throw new InvalidArgumentError('expected at least one secret to sign with')
  return {
    sign: (parts) => signatureOf(parts, signing),

    verify(envelope) {
      const { headers, properties } = envelope
      const given = headers[SIGNATURE_HEADER]
      const taskId = typeof headers['id'] === 'string' ? headers['id'] : undefined
      if (typeof given !== 'string') {
        throw new UntrustedMessageError(`the message is not signed: it has no header ${SIGNATURE_HEADER}`, {
          taskId,
        })
      }
      const parts: SignedParts = {
        contentType: envelope.contentType,
        contentEncoding: envelope.contentEncoding,
        exchange: properties.delivery_info.exchange,
        routingKey: properties.delivery_info.routing_key,
        headers,
        payload: decodePayload(envelope),
      }
      if (secrets.some((secret) => isEqual(given, signatureOf(parts, secret)))) return
      throw new UntrustedMessageError(
        'the message was signed with none of messageSecrets, or changed afterwards',
        { taskId },
      )
    },
  }
}

/** Each part with its length in front: what stands in one part can never pass for the beginning of the next. */
function signatureOf(parts: SignedParts, secret: string): string {
  const hmac = createHmac('sha256', secret)
  const { contentType, contentEncoding, exchange, routingKey, headers, payload } = parts
  const texts = ['1', contentType, contentEncoding, exchange, routingKey]
  for (const part of [...texts, ...SIGNED_HEADERS.map((name) => textOf(headers[name])), payload]) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    hmac.update(`${bytes.byteLength}:`).update(bytes)
  }
  return `v1=${hmac.digest('hex')}`
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : JSON.stringify(value)
}

function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
