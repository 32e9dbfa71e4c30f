import { Buffer } from 'node:buffer'
import { describeValue } from '../errors.js'
import { decompress } from './compression.js'
import {
  ContentDisallowedError,
  UndecodableBodyError,
  UnsupportedCompressionError,
  UntrustedMessageError,
} from './errors.js'
import { serializerForContentType, type AcceptedContent } from './serializers.js'
import type { Envelope } from './envelope.js'

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
    const isCompressed = typeof compression === 'string' && compression !== ''
    return serializer.decode(isCompressed ? decompress(compression, payload) : payload)
  } catch (error) {
    const { id } = envelope.headers
    throw typeof id === 'string' ? withTaskId(error, id) : error
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
  switch (typeof encoding === 'string' ? encoding.toLowerCase() : encoding) {
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
