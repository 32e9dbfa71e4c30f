import { chain, chord, group, type Celery, type Signature } from '../../../../src/index.js'
import type { WorkflowNode } from './workflow.js'

/** The signature of a workflow, by what users have for it. `run` is the list to which its tasks append. */
export function build(app: Celery, node: WorkflowNode, run: string): Signature<unknown> {
  let signature = buildOwn(app, node, run)
  for (const callback of node.link ?? []) signature = signature.link(build(app, callback, run))
  for (const errback of node.linkError ?? []) signature = signature.linkError(build(app, errback, run))
  return node.options === undefined ? signature : signature.set(node.options)
}

function buildOwn(app: Celery, node: WorkflowNode, run: string): Signature<unknown> {
  const all = (nodes: readonly WorkflowNode[]): Signature<unknown>[] =>
    nodes.map((each) => build(app, each, run))
  switch (node.kind) {
    case 'task': {
      const { args, label, immutable = false, by } = node
      const kwargs = { ...node.kwargs, run, label, ...(by && { by: build(app, by, run) }) }
      return app.remoteTask(`matrix.${node.task}`).signature({ args, kwargs, immutable })
    }
    case 'chain':
      return chain(all(node.of))
    case 'pipe':
      return all(node.of).reduce((before, next) => anySignature(before.then(next)))
    case 'group':
      return group(all(node.of))
    case 'chord':
      return anySignature(chord(all(node.header), build(app, node.body, run)))
    case 'map':
      return app.remoteTask(`matrix.${node.task}`).map(node.items)
    case 'starmap':
      return app.remoteTask(`matrix.${node.task}`).starmap(node.items as unknown[][])
    case 'chunks':
      return app.remoteTask(`matrix.${node.task}`).chunks(node.items as unknown[][], node.size ?? 1)
  }
}

/** The types of workflows that are read from data are not known. */
function anySignature(signature: unknown): Signature<unknown> {
  return signature as Signature<unknown>
}
