import { describeValue } from '../errors.js'
import { UnreadableResultError } from './errors.js'
import { formatJson } from './json.js'
import { isPlainRecord } from './plain-record.js'
import { readResultTuple, type ResultTuple } from './result-tuple.js'
import { decodeStored } from './stored-value.js'
import type { Serializer } from './serializers.js'

/** What is stored of a group that is saved: `{"result": <result tuple>}` (wire protocol, section 11.1). */
export function formatStoredGroup(group: ResultTuple, serializer?: Serializer): string | Buffer {
  const encoded = serializer?.encode({ result: group }) ?? formatJson({ result: group })
  return typeof encoded === 'string' ? encoded : Buffer.from(encoded)
}

/** @throws {@link UnreadableResultError} when it is no group as Celery stores it. */
export function readStoredGroup(stored: Uint8Array, serializer?: Serializer): ResultTuple {
  const value = decodeStored('a stored group', stored, serializer)
  if (!isPlainRecord(value)) {
    throw new UnreadableResultError(`a stored group must be an object, got ${describeValue(value)}`)
  }
  return readResultTuple(value['result'])
}
