/**
 * What applying a signature sends (wire protocol, sections 11.2, 12.3 and 12.4): the messages, how many parts each chord
 * waits for, and the ids under which results will be found. Nothing here talks to a server.
 *
 * - A chain sends its first step, which carries the others; options of the call are for that message alone.
 * - A group sends each member; options of the call are for each of them.
 * - A chord sends its header's members, each with the body; options are for the header and the body, except that a delay
 *   is for the header, links and what follows the chord are for the body.
 */
import { partsOf, stepsOf } from './compose.js'
import { InvalidSignatureError } from './errors.js'
import {
  firstOf,
  freeze,
  freezeMembers,
  freezeSteps,
  headerIdOf,
  isEmptyChain,
  type Freezer,
  type Place,
  type ResultNode,
} from './freeze.js'
import { linkErrorTo, linkTo, signaturesIn } from './links.js'
import { expandChunks } from './map.js'
import {
  bodyOf,
  groupData,
  headerOf,
  isChain,
  isChord,
  isGiven,
  isGroup,
  readSignatureData,
  tasksOf,
  withOptions,
  type Options,
  type SignatureData,
} from './signature-data.js'
import type { PartialCall } from './signature-types.js'

/** A message to be sent, its options by their wire names. */
export interface PlannedTask {
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Options
}

export interface Plan {
  /** In the order in which they are sent. */
  readonly tasks: readonly PlannedTask[]
  /** To be announced before the last message of each header is sent. */
  readonly chords: readonly { readonly groupId: string; readonly size: number }[]
  /** Headers with groups in them, to be saved so that the body gets their results in that structure. */
  readonly headers: readonly ResultNode[]
  readonly result: ResultNode
}

/**
 * @param value - in any shape that Python or JSON has for it.
 * @param call - what the caller puts in front of the arguments and over the options; options by their wire names.
 * @throws InvalidSignatureError where it cannot be sent as it is.
 */
export function planCall(value: unknown, call: PartialCall, freezer: Freezer): Plan {
  const planner = createPlanner(freezer)
  const data = readSignatureData(value)
  if (isEmptyChain(data, freezer)) throw new InvalidSignatureError('a chain without a task cannot be sent')
  const result = planner.apply(data, call)
  return { ...planner.plan, result }
}

/** A group of calls that follow one task, as Celery sends several callbacks or errbacks. */
export function asGroup(members: readonly SignatureData[]): SignatureData {
  return groupData(members)
}

interface Planner {
  readonly plan: Omit<Plan, 'result'>
  readonly apply: (data: SignatureData, call: PartialCall) => ResultNode
}

function createPlanner(freezer: Freezer): Planner {
  const { errbackReach } = freezer
  const tasks: PlannedTask[] = []
  const chords: { groupId: string; size: number }[] = []
  const headers: ResultNode[] = []

  const apply = (data: SignatureData, call: PartialCall): ResultNode => {
    if (isChain(data)) return applyChain(data, call)
    if (isGroup(data)) return applyGroup(data, call)
    if (isChord(data)) return applyChord(data, call)
    if (data.task === 'celery.chunks') return applyGroup(expandChunks(data), call)
    return applyTask(data, call)
  }

  const applyTask = (data: SignatureData, call: PartialCall): ResultNode => {
    const { args, kwargs } = withArguments(data, call)
    const { options } = freeze({ ...data, options: mergedOptions(data, call) }, {}, freezer).data
    tasks.push({ task: data.task, args, kwargs, options })
    return { id: options['task_id'] as string }
  }

  const applyChain = (data: SignatureData, call: PartialCall): ResultNode => {
    const merged = mergedOptions(data, call)
    const { task_id, group_id, group_index, chord, link: _link, link_error: _linkError, ...rest } = merged
    const { root_id: _root, parent_id: _parent, chain: after, ...options } = rest
    const errbacks = signaturesIn(merged, 'link_error')
    const callbacks = signaturesIn(merged, 'link')
    const place = { taskId: task_id, groupId: group_id, groupIndex: group_index, chord } as Place
    const frozen = freezeSteps(stepsOf(tasksOf(data), errbackReach), place, freezer)
    const [first, ...others] = frozen.steps.map((step, i) =>
      linkErrorTo(i === frozen.steps.length - 1 ? linkTo(step, callbacks) : step, errbacks, errbackReach),
    ) as [SignatureData, ...SignatureData[]]
    const chain = [...((after as readonly SignatureData[] | null) ?? []), ...others.reverse()]
    const applied = apply(first, {
      ...argumentsFor(data, call),
      options: chain.length > 0 ? { ...options, chain } : options,
    })
    return others.length === 0 ? applied : frozen.result
  }

  const applyGroup = (given: SignatureData, call: PartialCall): ResultNode => {
    const { link, link_error, ...callOptions } = call.options ?? {}
    const links = { link, link_error }
    const data = linkErrorTo(
      linkTo(given, signaturesIn(links, 'link')),
      signaturesIn(links, 'link_error'),
      errbackReach,
    )
    const {
      task_id,
      group_index: _index,
      ...options
    } = mergedOptions(data, { ...call, options: callOptions })
    const groupId = (task_id as string | undefined) ?? freezer.newId()
    const placed = { ...options, group_id: groupId }
    const children: ResultNode[] = []
    let size = 0
    const applyMembers = (members: readonly SignatureData[]): void => {
      members.forEach((member, groupIndex) => {
        if (isGroup(member)) {
          applyMembers(tasksOf(member))
          return
        }
        if (isEmptyChain(member, freezer)) return
        const frozen = freeze(member, { groupId, groupIndex }, freezer)
        const applied = apply(frozen.data, { ...argumentsFor(data, call), options: placed })
        children.push(applied.children === undefined ? frozen.result : applied)
        size += partsOf(member)
      })
    }
    applyMembers(tasksOf(data))
    if (isGiven(options['chord']) && (options['group_id'] ?? groupId) === groupId)
      chords.push({ groupId, size })
    const [only] = children
    // A group of one chain that ends in a group has that one's results.
    return children.length === 1 && only?.children !== undefined ? only : { id: groupId, children }
  }

  const applyChord = (data: SignatureData, call: PartialCall): ResultNode => {
    const groupId = headerIdOf(data) ?? freezer.newId()
    const { task_id: _own, parent_id: _parent, root_id: _root, ...merged } = mergedOptions(data, call)
    const { countdown, eta, link: _link, link_error: _linkError, ...options } = merged
    const { chain: after, chord: _outer, group_id: _group, group_index: _index, ...shared } = options

    const body = freezeBody(data, merged, options, { after, groupId, taskId: call.options?.['task_id'] })
    const members = freezeMembers(headerOf(data), { groupId, chord: body.data }, freezer)
    const size = members.reduce((sum, member) => sum + partsOf(member.data), 0)
    const header: ResultNode = { id: groupId, children: members.map(({ result }) => result) }
    if (size === 0) {
      apply(body.data, { args: [[]] })
      firstOf(body.result).parent = header
      return body.result
    }

    const delay = { ...(isGiven(countdown) && { countdown }), ...(isGiven(eta) && { eta }) }
    const memberCall = {
      ...argumentsFor(data, call),
      options: { ...shared, ...delay, group_id: groupId, chord: body.data },
    }
    for (const member of members) apply(member.data, memberCall)
    chords.push({ groupId, size })
    if (members.some(({ result }) => result.children !== undefined)) headers.push(header)
    firstOf(body.result).parent = header
    return body.result
  }

  /** What follows the chord, its links, and the chord that it is itself a part of: all of that is the body's. */
  const freezeBody = (
    data: SignatureData,
    merged: Options,
    options: Options,
    { after, groupId, taskId }: { after: unknown; groupId: string; taskId: unknown },
  ): ReturnType<typeof freeze> => {
    const linked = linkErrorTo(
      linkTo(bodyOf(data), signaturesIn(merged, 'link')),
      signaturesIn(merged, 'link_error'),
      'body',
    )
    const later = [after, linked.options['chain']].flatMap(
      (chain) => (chain as readonly SignatureData[] | null) ?? [],
    )
    const chain = later.length > 0 ? { chain: later } : {}
    const called = withOptions(linked, { ...options, ...chain })
    return freeze(called, { taskId: taskId as string | undefined, groupId, memberGroup: groupId }, freezer)
  }

  return { plan: { tasks, chords, headers }, apply }
}

/** Options of a call go over those of the signature; a group, and stamps, that are there stay. */
function mergedOptions(
  { options: own }: SignatureData,
  { options: given = {} }: PartialCall,
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...own }
  const stamps = (own['stamped_headers'] ?? []) as readonly string[]
  for (const [name, value] of Object.entries(given)) {
    if (!isGiven(value)) continue
    const isKept = name === 'group_id' || name === 'stamped_headers' || stamps.includes(name)
    if (!isKept || !isGiven(own[name])) merged[name] = value
  }
  return merged
}

function withArguments(
  { args, kwargs, immutable }: SignatureData,
  call: PartialCall,
): { readonly args: readonly unknown[]; readonly kwargs: Readonly<Record<string, unknown>> } {
  if (immutable) return { args, kwargs }
  return {
    args: call.args === undefined || call.args.length === 0 ? args : [...call.args, ...args],
    kwargs: call.kwargs === undefined ? kwargs : { ...kwargs, ...call.kwargs },
  }
}

/** What those inside get of the arguments that their canvas is called with. */
function argumentsFor(canvas: SignatureData, { args, kwargs }: PartialCall): Omit<PartialCall, 'options'> {
  if (canvas.immutable) return {}
  return { ...(args !== undefined && { args }), ...(kwargs !== undefined && { kwargs }) }
}
