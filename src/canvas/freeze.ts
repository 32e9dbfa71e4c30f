/**
 * Freezing gives each task of a signature its id before any of them is sent, so that results can be waited for, and a
 * repeated message is the same task (wire protocol, sections 11.2 and 12.3). An id that is there stays.
 */
import { stepsOf, unrolled } from './compose.js'
import type { ErrbackReach } from './links.js'
import {
  bodyOf,
  groupData,
  headerOf,
  isChain,
  isChord,
  isGroup,
  isList,
  tasksOf,
  withKwargs,
  withOptions,
  type Options,
  type SignatureData,
} from './signature-data.js'

/** What a signature will give, by its ids: a task's result, or a group's with `children`. */
export interface ResultNode {
  readonly id: string
  readonly children?: readonly ResultNode[]
  /** What runs before it. */
  parent?: ResultNode | undefined
}

export interface Frozen {
  readonly data: SignatureData
  readonly result: ResultNode
}

/** Where a signature stands. Of a chain it is its last task that stands there, of a chord its body. */
export interface Place {
  readonly taskId?: string | undefined
  readonly groupId?: string | undefined
  readonly groupIndex?: number | undefined
  /** The body that waits for it. */
  readonly chord?: SignatureData | undefined
  /** The id that members name where a group stands there, as a body. @default its own, or its chord's */
  readonly memberGroup?: string | undefined
}

export interface Freezer {
  readonly newId: () => string
  /** Where a sender of Celery's `rpc://` waits for replies; named in each message, as by Python. */
  readonly replyTo: string
  readonly errbackReach: ErrbackReach
}

export function freeze(data: SignatureData, place: Place, freezer: Freezer): Frozen {
  if (isChain(data)) return freezeChain(data, place, freezer)
  if (isGroup(data)) return freezeGroup(data, place, freezer)
  return isChord(data) ? freezeChord(data, place, freezer) : freezeTask(data, place, freezer)
}

/** @returns the steps in their order, and the result of the last one with those before as its parents. */
export function freezeSteps(
  steps: readonly SignatureData[],
  place: Place,
  freezer: Freezer,
): { readonly steps: readonly SignatureData[]; readonly result: ResultNode } {
  const frozen = steps.map((step, i) => freeze(step, i === steps.length - 1 ? place : {}, freezer))
  frozen.forEach(({ result }, i) => {
    firstOf(result).parent = frozen[i - 1]?.result
  })
  return {
    steps: frozen.flatMap(({ data }) => unrolled(data, freezer.errbackReach)),
    result: (frozen.at(-1) as Frozen).result,
  }
}

/** Those members of a group that are tasks, groups in it taken apart in Celery's order: inner ones in reverse. */
export function freezeMembers(members: readonly SignatureData[], place: Place, freezer: Freezer): Frozen[] {
  const frozen: Frozen[] = []
  const stack = members.toReversed()
  for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
    if (isGroup(member)) stack.push(...tasksOf(member))
    else if (!isEmptyChain(member, freezer))
      frozen.push(freeze(member, { ...place, groupIndex: frozen.length }, freezer))
  }
  return frozen
}

export function isEmptyChain(data: SignatureData, { errbackReach }: Freezer): boolean {
  return isChain(data) && stepsOf([data], errbackReach).length === 0
}

/** The id of the group that a chord's header is, where it has one. */
export function headerIdOf(chord: SignatureData): string | undefined {
  const header = chord.kwargs['header']
  const options = isList(header) ? {} : (header as SignatureData).options
  return textIn(options, 'task_id') ?? textIn(chord.options, 'task_id')
}

/** What runs first on the way to a result. */
export function firstOf(result: ResultNode): ResultNode {
  let node = result
  while (node.parent !== undefined) node = node.parent
  return node
}

function freezeTask(data: SignatureData, place: Place, { newId, replyTo }: Freezer): Frozen {
  const { taskId, groupId, groupIndex, chord } = place
  const options: Record<string, unknown> = { ...data.options }
  const id = textIn(options, 'task_id') ?? taskId ?? newId()
  options['task_id'] = id
  options['reply_to'] ??= replyTo
  if (groupId !== undefined) options['group_id'] ??= groupId
  if (chord !== undefined) options['chord'] = chord
  if (groupIndex !== undefined) options['group_index'] = groupIndex
  return { data: { ...data, options }, result: { id } }
}

function textIn(options: Options, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

/** The chain keeps its links: whoever runs it attaches them. */
function freezeChain(data: SignatureData, place: Place, freezer: Freezer): Frozen {
  const steps = stepsOf(tasksOf(data), freezer.errbackReach)
  const taskId = textIn(data.options, 'task_id') ?? place.taskId
  if (steps.length === 0) return { data, result: { id: taskId ?? freezer.newId() } }
  const { steps: tasks, result } = freezeSteps(steps, { ...place, taskId, memberGroup: undefined }, freezer)
  return { data: withOptions(withKwargs(data, { tasks }), { task_id: result.id }), result }
}

function freezeGroup(data: SignatureData, place: Place, freezer: Freezer): Frozen {
  const { taskId, groupId, groupIndex, chord } = place
  const id = textIn(data.options, 'task_id') ?? taskId ?? freezer.newId()
  // At the end of a body it is a group of its own; as a part of a chord, its members are that one's.
  const inherited = groupId === undefined || chord !== undefined ? groupId : id
  const memberGroup = place.memberGroup ?? inherited
  const members = freezeMembers(tasksOf(data), { groupId: memberGroup }, freezer)
  const options: Options = {
    ...data.options,
    task_id: id,
    ...(memberGroup !== undefined && { group_id: memberGroup }),
    ...(chord !== undefined && { chord }),
    ...(groupIndex !== undefined && { group_index: groupIndex }),
    root_id: data.options['root_id'] ?? null,
    parent_id: data.options['parent_id'] ?? null,
  }
  const tasks = members.map((member) => member.data)
  return {
    data: { ...withKwargs(data, { tasks }), options },
    result: { id, children: members.map(({ result }) => result) },
  }
}

/**
 * Its header's tasks do not carry the body before they are sent: as Celery 5.7 does it, so that the message of a chain
 * with many chords grows with their number and not much faster.
 */
function freezeChord(data: SignatureData, place: Place, freezer: Freezer): Frozen {
  const id = headerIdOf(data) ?? freezer.newId()
  const members = freezeMembers(headerOf(data), {}, freezer)
  const header = {
    ...groupData(members.map((member) => member.data)),
    options: { task_id: id, root_id: null, parent_id: null },
  }
  const body = freeze(bodyOf(data), { ...place, memberGroup: undefined }, freezer)
  firstOf(body.result).parent = { id, children: members.map(({ result }) => result) }
  return {
    data: withOptions(withKwargs(data, { header, body: body.data }), { task_id: id }),
    result: body.result,
  }
}
