import { describeValue, LovageError } from '../errors.js'
import { decodeBody } from '../serialization/decode-body.js'
import { parseEnvelope } from '../serialization/envelope.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import type { AcceptedContent } from '../serialization/serializers.js'

/** Thrown for a message, or one event of it, that cannot be understood. */
export class MalformedEventError extends LovageError {
  readonly code = 'MALFORMED_EVENT'
}

/** An event as it was sent, with the fields that every reader needs. */
export interface SentEvent {
  readonly type: string
  readonly hostname: string
  readonly clock: number | undefined
  readonly timestamp: number | undefined
  readonly [field: string]: unknown
}

/**
 * The events of one message: one, or a list of them (wire protocol, section 14.1). Fields and types that nobody here
 * knows are kept: applications and later releases have their own.
 *
 * @param onMalformed - Told of each event that is left out.
 * @throws MalformedEventError where the message is none.
 */
export function readEvents(
  envelope: string,
  acceptContent: AcceptedContent,
  onMalformed: (error: MalformedEventError) => void,
): SentEvent[] {
  let body: unknown
  try {
    body = decodeBody(parseEnvelope(envelope), acceptContent)
  } catch (error) {
    if (!(error instanceof LovageError)) throw error
    throw new MalformedEventError(error.message, { cause: error })
  }
  return (Array.isArray(body) ? (body as unknown[]) : [body]).flatMap((each) => {
    try {
      return [readEvent(each)]
    } catch (error) {
      if (!(error instanceof MalformedEventError)) throw error
      onMalformed(error)
      return []
    }
  })
}

function readEvent(value: unknown): SentEvent {
  if (!isPlainRecord(value)) throw malformed('an event', 'an object', value)
  const { type, hostname, uuid, clock, timestamp } = value
  if (typeof type !== 'string' || type === '') throw malformed('type', 'a non-empty string', type)
  if (typeof hostname !== 'string' || hostname === '')
    throw malformed(`hostname of ${type}`, 'a non-empty string', hostname)
  if (type.startsWith('task-') && (typeof uuid !== 'string' || uuid === ''))
    throw malformed(`uuid of ${type}`, 'a non-empty string', uuid)
  return { ...value, type, hostname, clock: numberOr(clock), timestamp: numberOr(timestamp) }
}

function numberOr(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function malformed(what: string, expected: string, got: unknown): MalformedEventError {
  return new MalformedEventError(`${what}: expected ${expected}, got ${describeValue(got)}`)
}
