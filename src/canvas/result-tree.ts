import type { ResultNode } from './freeze.js'
import type { ResultTuple } from '../serialization/result-tuple.js'

/** What results tell of a canvas that was sent (wire protocol, section 10.2). */
export function tupleOf({ id, parent, children }: ResultNode): ResultTuple {
  return [[id, parent === undefined ? null : tupleOf(parent)], children?.map(tupleOf) ?? null]
}

/** How a result names what its task has started: what is sent first, which an empty header is not. */
export function startedTuple(result: ResultNode): ResultTuple {
  const path: ResultNode[] = []
  for (let node: ResultNode | undefined = result; node !== undefined; node = node.parent) path.push(node)
  const started = path.findLast(({ children }) => children?.length !== 0) ?? result
  return tupleOf({ ...started, parent: undefined })
}
