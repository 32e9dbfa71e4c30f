import { LovageError } from '../errors.js'
import { UnreadableResultError } from './errors.js'
import { parseJson } from './json.js'
import type { Serializer } from './serializers.js'

/**
 * Decode what a result backend holds.
 *
 * @param what - Begins the error's message: `the stored result`.
 * @param serializer - For another `result_serializer` than JSON: nothing stored says which it was.
 * @throws {@link UnreadableResultError}
 */
export function decodeStored(what: string, stored: string | Uint8Array, serializer?: Serializer): unknown {
  try {
    const bytes = typeof stored === 'string' ? Buffer.from(stored, 'utf8') : stored
    if (serializer !== undefined) return serializer.decode(bytes)
    return parseJson(typeof stored === 'string' ? stored : Buffer.from(stored).toString('utf8'))
  } catch (error) {
    if (!(error instanceof LovageError)) throw error
    throw new UnreadableResultError(`${what} cannot be decoded: ${error.message}`, { cause: error })
  }
}
