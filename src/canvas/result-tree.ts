import type { ResultNode } from './freeze.js'
import type { ResultTuple } from '../serialization/result-tuple.js'

/** What results tell of a canvas that was sent (wire protocol, section 10.2). */
export function tupleOf({ id, parent, children }: ResultNode): ResultTuple {
  return [[id, parent === undefined ? null : tupleOf(parent)], children?.map(tupleOf) ?? null]
}
