import { AsyncResult, type GetOptions } from '../results/async-result.js'
import type { GroupHandle } from '../canvas/signature-types.js'
import type { ResultNode } from '../canvas/freeze.js'
import type { ResultBackend } from '../results/result-backend.js'

/** The way to what a canvas gives, by the ids that its plan has fixed. */
export function resultOf(node: ResultNode, backend: ResultBackend): AsyncResult | GroupHandle<unknown[]> {
  if (node.children !== undefined) {
    const children = node.children.map((child) => resultOf(child, backend))
    return {
      id: node.id,
      get: (options?: GetOptions) => Promise.all(children.map((child) => child.get(options))),
    }
  }
  const parent = node.parent === undefined ? undefined : resultOf(node.parent, backend)
  return new AsyncResult(node.id, backend, parent instanceof AsyncResult ? parent : undefined)
}
