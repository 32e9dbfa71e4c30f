import { describeValue } from '../errors.js'
import { UnreadableResultError } from './errors.js'
import { formatJson, type JsonForm } from './json.js'
import { decodeStored } from './stored-value.js'
import type { Serializer } from './serializers.js'

/** What became of one task of a chord's header, as it is recorded for who completes the chord. */
export interface ReturnedPart {
  readonly taskId: string
  /** SUCCESS, FAILURE or REVOKED. */
  readonly status: string
  /** Return value, or exception object. */
  readonly result: unknown
}

/**
 * Write a part as Celery does: `[1, "<task id>", "<state>", <result>]` (wire protocol, section 11.3).
 *
 * JSON has Python's spaces and escapes: parts are members of a set, and where Python runs the same task again its part
 * is to be the same member.
 *
 * @param serializer - For another `result_serializer` than JSON.
 * @throws EncodeError when the result cannot be written; its path starts with `result`.
 */
export function formatChordPart(
  { taskId, status, result }: ReturnedPart,
  form: JsonForm = 'tagged',
  serializer?: Serializer,
): string | Uint8Array {
  if (serializer !== undefined && serializer.name !== 'json')
    return serializer.encode([1, taskId, status, result ?? null])
  const json = `[1,${JSON.stringify(taskId)},${JSON.stringify(status)},${formatJson(result, form, 'result')}]`
  return asPythonWrites(json)
}

/** @throws {@link UnreadableResultError} */
export function parseChordPart(stored: Uint8Array, serializer?: Serializer): ReturnedPart {
  const part = decodeStored('a part of a chord', stored, serializer)
  const [, taskId, status, result] = Array.isArray(part) ? (part as readonly unknown[]) : []
  if (typeof taskId !== 'string' || typeof status !== 'string') {
    throw new UnreadableResultError(
      `a part of a chord must be a list of 1, task id, state and result, got ${describeValue(part)}`,
    )
  }
  return { taskId, status, result }
}

/** Compact JSON with the spaces and escapes of Python's `json.dumps`. */
function asPythonWrites(json: string): string {
  const spaced = json.replace(/"(?:[^"\\]|\\.)*"|[,:]/g, (token) =>
    token === ',' || token === ':' ? `${token} ` : token,
  )
  return spaced.replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
