/** What one run of a workflow came to, with its ids replaced by the labels of tasks, so that runs can be compared. */
import { precedencesOf, togetherIn } from './order.js'
import type { Redis } from 'ioredis'
import type { WorkflowNode } from './workflow.js'

/** What the producer knows of a workflow that is over. */
export interface Produced {
  readonly run: string
  readonly node: WorkflowNode
  /** As `AsyncResult.as_tuple()` has it. */
  readonly tuple: unknown
  /** A value, an error, or that there is none yet. */
  readonly outcome: unknown
}

/** What a task said when it began. */
interface Began {
  readonly label: string
  readonly args: readonly unknown[]
  readonly retries: number
  readonly id: string | null
  readonly root: string | null
  readonly parent: string | null
  readonly group: string | null
  readonly by: 'python' | 'lovage'
}

interface Meta {
  readonly status: string
  readonly result: unknown
  readonly children?: readonly unknown[]
}

/** Comparable part by part. */
export interface Observation {
  readonly outcome: unknown
  /** Of the producer: what stands for the result, and its parents. */
  readonly handle: unknown
  /** Each task that began, with its arguments, parent and root; in no order. */
  readonly began: readonly string[]
  /** Whose message named which group. */
  readonly groups: readonly string[]
  /** What is stored of each task: state, result, children. */
  readonly stored: readonly string[]
  /** Tasks that began before what they have to follow. */
  readonly disorder: readonly string[]
}

export interface Observed {
  readonly exact: Observation
  /**
   * The same but for what depends on which of several workers is faster: which part of a header was the last, and so the
   * parent of the body; in which order messages of one queue begin.
   */
  readonly loose: Observation
  readonly ranBy: ReadonlySet<string>
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

export async function observe(redis: Redis, produced: Produced): Promise<Observed> {
  const began = (await redis.lrange(produced.run, 0, -1)).map((text) => JSON.parse(text) as Began)
  const metas = await storedOf(redis, produced.tuple, began)
  const names = namesOf(began)
  const named = <T>(value: T): T =>
    JSON.parse(JSON.stringify(value ?? null).replace(UUID, (id) => names.get(id) ?? '?')) as T
  const exact: Observation = {
    outcome: named(produced.outcome),
    handle: named(shapeOf(produced.tuple as Tuple | null)),
    began: began.map((entry) => described(named(entry))).sort(),
    groups: began.map(({ label, group }) => named(`${label} of ${group}`)).sort(),
    stored: [...metas]
      .map(([id, { status, result, children = [] }]) =>
        JSON.stringify(named([id, status, result, children.map((child) => shapeOf(child as Tuple))])),
      )
      .sort(),
    disorder: disorderIn(produced.node, began, false),
  }
  const together = togetherIn(produced.node)
  const any = (label: string | null): string | null =>
    label === null ? null : (together.get(label) ?? label)
  const loose: Observation = {
    ...exact,
    began: began
      .map((entry) => named(entry))
      .map((entry) => described({ ...entry, parent: any(entry.parent), root: any(entry.root) }))
      .sort(),
    disorder: disorderIn(produced.node, began, true),
  }
  return { exact, loose, ranBy: new Set(began.map(({ by }) => by)) }
}

/** As `AsyncResult.as_tuple()` has it. */
type Tuple = readonly [head: readonly [id: string, parent: Tuple | null], members: readonly Tuple[] | null]

/** `id < parent`, and of a group its members: Celery's own ids of groups are not always those of the messages. */
function shapeOf(tuple: Tuple | null): string {
  if (tuple === null) return 'nothing'
  const [[id, parent], members] = tuple
  const self = members === null ? id : `[${members.map(shapeOf).join(', ')}]`
  return parent === null ? self : `${self} < ${shapeOf(parent)}`
}

function described({ label, args, retries, id, root, parent }: Began): string {
  const as = id === label ? '' : ` as ${id}`
  const again = retries === 0 ? '' : ` again ${retries}`
  return `${label}${as}(${args.map((each) => JSON.stringify(each)).join(', ')})${again} from ${parent} in ${root}`
}

/** Of all tasks that the trace, the producer, and results of these know of. */
async function storedOf(redis: Redis, tuple: unknown, began: readonly Began[]): Promise<Map<string, Meta>> {
  const metas = new Map<string, Meta>()
  const seen = new Set<string>()
  let next = idsIn([tuple, began.map(({ id, parent, root }) => [id, parent, root])])
  while (next.length > 0) {
    const texts = await redis.mget(next.map((id) => `celery-task-meta-${id}`))
    const found = next.flatMap((id, i) => {
      const text = texts[i]
      return text ? [[id, JSON.parse(text) as Meta] as const] : []
    })
    for (const [id, meta] of found) metas.set(id, meta)
    for (const id of next) seen.add(id)
    next = idsIn(found.map(([, meta]) => meta.children)).filter((id) => !seen.has(id))
  }
  return metas
}

function idsIn(value: unknown): string[] {
  return [...new Set(JSON.stringify(value)?.match(UUID) ?? [])]
}

/** What to call ids: tasks by labels, groups by their members. Of tasks that never began nobody told the label. */
function namesOf(began: readonly Began[]): Map<string, string> {
  const names = new Map<string, string>()
  const members = new Map<string, Set<string>>()
  for (const { id, label, group } of began) {
    if (id !== null && !names.has(id)) names.set(id, label)
    if (group === null || id === null) continue
    members.set(group, (members.get(group) ?? new Set()).add(names.get(id) ?? label))
  }
  for (const [group, labels] of members) names.set(group, `{${[...labels].sort().join(' ')}}`)
  return names
}

function disorderIn(node: WorkflowNode, began: readonly Began[], isQueueShared: boolean): string[] {
  const order = began.map(({ label }) => label)
  return precedencesOf(node)
    .filter(({ isByQueue }) => !(isByQueue && isQueueShared))
    .filter(({ before, after }) => order.includes(before) && order.includes(after))
    .filter(({ before, after }) => order.indexOf(before) > order.indexOf(after))
    .map(({ before, after }) => `${after} before ${before}`)
}
