/** Workflows as plain data, of which Python (tests/interop/python/canvas_matrix.py) and TypeScript build signatures. */

interface Common {
  readonly link?: readonly WorkflowNode[]
  readonly linkError?: readonly WorkflowNode[]
  /** By their wire names. */
  readonly options?: Readonly<Record<string, unknown>>
}

export type TaskName =
  'sum' | 'list' | 'ignored' | 'fail' | 'retry' | 'replace' | 'extend' | 'told_id' | 'told_error'

export interface TaskNode extends Common {
  readonly kind: 'task'
  readonly task: TaskName
  readonly args: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly immutable?: boolean
  /** What a task is replaced by, or adds to its chord. */
  readonly by?: WorkflowNode
  /** By which the task says in the trace which one it is; unique in its workflow. */
  readonly label?: string
}

export interface SequenceNode extends Common {
  /** `chain(a, b)`, `a | b`, `group(a, b)` */
  readonly kind: 'chain' | 'pipe' | 'group'
  readonly of: readonly WorkflowNode[]
}

export interface ChordNode extends Common {
  readonly kind: 'chord'
  readonly header: readonly WorkflowNode[]
  readonly body: WorkflowNode
}

export interface ItemsNode extends Common {
  readonly kind: 'map' | 'starmap' | 'chunks'
  readonly task: TaskName
  readonly items: readonly unknown[]
  readonly size?: number
}

export type WorkflowNode = TaskNode | SequenceNode | ChordNode | ItemsNode

type Nodes = readonly WorkflowNode[]

const task =
  (name: TaskName) =>
  (...args: readonly unknown[]): TaskNode => ({ kind: 'task', task: name, args })

export const sum = task('sum')
export const list = task('list')
export const ignored = task('ignored')
export const fail = task('fail')
/** Errbacks of the old style, which are sent, and of the new one, which are called. */
export const toldId = task('told_id')()
export const toldError = task('told_error')()
export const retry = (times: number, limit = 3): TaskNode => ({
  ...task('retry')(),
  kwargs: { times, limit },
})
export const replace = (by: WorkflowNode): TaskNode => ({ ...task('replace')(), by })
export const extend = (by: WorkflowNode): TaskNode => ({ ...task('extend')(1), by })

export const chain = (...of: Nodes): SequenceNode => ({ kind: 'chain', of })
export const pipe = (...of: Nodes): SequenceNode => ({ kind: 'pipe', of })
export const group = (...of: Nodes): SequenceNode => ({ kind: 'group', of })
export const chord = (header: Nodes, body: WorkflowNode): ChordNode => ({ kind: 'chord', header, body })
export const map = (name: TaskName, ...items: readonly unknown[]): ItemsNode => ({
  kind: 'map',
  task: name,
  items,
})
export const starmap = (name: TaskName, ...items: readonly (readonly unknown[])[]): ItemsNode => ({
  kind: 'starmap',
  task: name,
  items,
})
export const chunks = (
  name: TaskName,
  size: number,
  ...items: readonly (readonly unknown[])[]
): ItemsNode => ({
  kind: 'chunks',
  task: name,
  items,
  size,
})

export const immutable = (node: TaskNode): TaskNode => ({ ...node, immutable: true })
export const link = (node: WorkflowNode, ...callbacks: Nodes): WorkflowNode => ({ ...node, link: callbacks })
export const linkError = (node: WorkflowNode, ...errbacks: Nodes): WorkflowNode => ({
  ...node,
  linkError: errbacks,
})
export const set = (node: WorkflowNode, options: Readonly<Record<string, unknown>>): WorkflowNode => ({
  ...node,
  options,
})

/** The same with a label for each task: its name, and which one of its name it is. */
export function labelled(root: WorkflowNode): WorkflowNode {
  const counts = new Map<TaskName, number>()
  const all = (nodes: Nodes): WorkflowNode[] => nodes.map(visit)
  const own = (node: WorkflowNode): WorkflowNode => {
    if (node.kind === 'chord') return { ...node, header: all(node.header), body: visit(node.body) }
    if ('of' in node) return { ...node, of: all(node.of) }
    if (node.kind !== 'task') return node
    const count = (counts.get(node.task) ?? 0) + 1
    counts.set(node.task, count)
    return { ...node, label: `${node.task}${count}`, ...(node.by && { by: visit(node.by) }) }
  }
  const visit = (node: WorkflowNode): WorkflowNode => {
    const { link: callbacks, linkError: errbacks } = node
    return {
      ...own(node),
      ...(callbacks && { link: all(callbacks) }),
      ...(errbacks && { linkError: all(errbacks) }),
    }
  }
  return visit(root)
}
