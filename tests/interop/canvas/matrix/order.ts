/** What has to begin before what, by the form of a workflow alone. */
import type { WorkflowNode } from './workflow.js'

export interface Precedence {
  readonly before: string
  readonly after: string
  /** By the order of one queue only: not where two workers share it. */
  readonly isByQueue: boolean
}

type Nodes = readonly WorkflowNode[]

/** Steps of a chain, a header and its body, a task and what is linked to it, and callbacks among themselves. */
export function precedencesOf(root: WorkflowNode): Precedence[] {
  const found: Precedence[] = []
  const say = (before: Nodes, after: Nodes, isByQueue = false): void => {
    for (const a of before.flatMap(labelsIn))
      for (const b of after.flatMap(labelsIn)) found.push({ before: a, after: b, isByQueue })
  }
  const inTurn = (nodes: Nodes, isByQueue = false): void =>
    nodes.forEach((node, i) => say([node], nodes.slice(i + 1), isByQueue))
  const visit = (node: WorkflowNode): void => {
    const linked = [node.link ?? [], node.linkError ?? []]
    for (const callbacks of linked) {
      say([node], callbacks)
      inTurn(callbacks, true)
    }
    if (node.kind === 'chord') say(node.header, [node.body])
    if (node.kind === 'chain' || node.kind === 'pipe') inTurn(node.of)
    if (node.kind === 'group') inTurn(node.of, true)
    ;[...childrenOf(node), ...linked.flat()].forEach(visit)
  }
  visit(root)
  return found
}

/**
 * Tasks that run at the same time, by one of them: which of these is the last, and so the parent of a body, is a matter
 * of chance.
 */
export function togetherIn(root: WorkflowNode): ReadonlyMap<string, string> {
  const together = new Map<string, string>()
  const visit = (node: WorkflowNode): void => {
    const members = node.kind === 'chord' ? node.header : node.kind === 'group' ? node.of : []
    const labels = members.flatMap(labelsIn)
    for (const label of labels) if (!together.has(label)) together.set(label, `any of ${labels.join(' ')}`)
    ;[...childrenOf(node), ...(node.link ?? []), ...(node.linkError ?? [])].forEach(visit)
  }
  visit(root)
  return together
}

/** Of the tasks that a node's own result waits for; callbacks and errbacks are left out. Of maps nobody tells the label. */
function labelsIn(node: WorkflowNode): string[] {
  if ('items' in node) return ['?']
  const own = node.kind === 'task' && node.label !== undefined ? [node.label] : []
  return [...own, ...childrenOf(node).flatMap(labelsIn)]
}

function childrenOf(node: WorkflowNode): Nodes {
  if (node.kind === 'chord') return [...node.header, node.body]
  if ('of' in node) return node.of
  return node.kind === 'task' && node.by !== undefined ? [node.by] : []
}
