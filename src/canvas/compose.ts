/**
 * How parts of the canvas follow each other: the rules of Celery's `|` operator, all of them.
 *
 * A chain's steps run one after the other, so what follows a group has to wait for all of its members: it becomes the
 * body of a chord with the group as its header. What follows a chord follows its body. What is chained already is
 * spliced, a group of one is its member, and an empty group is nothing.
 */
import {
  bodyOf,
  chainData,
  chordData,
  isChain,
  isChord,
  isGiven,
  isGroup,
  tasksOf,
  withKwargs,
  withOptions,
  type SignatureData,
} from './signature-data.js'
import { unchunked } from './map.js'
import { linkTo, linkErrorTo, signaturesIn, type ErrbackReach } from './links.js'

/**
 * One signature that runs the given ones in their order. A single one stays what it is; a chain that begins with a chord
 * stays a chain, whatever its body takes up.
 *
 * @param parts - at least one.
 */
export function compose(parts: readonly SignatureData[], reach: ErrbackReach): SignatureData {
  const steps = stepsOf(parts, reach)
  const [only] = steps
  if (only === undefined || steps.length > 1) return chainData(steps)
  return isChord(only) && parts.some(isChain) ? chainData(steps) : only
}

/** The steps of a chain of the given parts. Only the last of them may be a group, and a chord only follows a chord. */
export function stepsOf(parts: readonly SignatureData[], reach: ErrbackReach): SignatureData[] {
  const steps: SignatureData[] = []
  for (const part of parts) append(steps, part, reach)
  // A chain of nothing but empty groups has their empty result.
  const [first] = parts
  return steps.length === 0 && first !== undefined && isGroup(first) ? [first] : steps
}

/**
 * A chord in a chain, without what follows the first step of its body: that follows the chord instead, as in Celery 5.7.
 * Each message of a header carries the body, and would carry all the rest of the chain with it.
 *
 * @param step - frozen, so that its parts know their places.
 */
export function unrolled(step: SignatureData, reach: ErrbackReach): readonly SignatureData[] {
  if (!isChord(step)) return [step]
  const body = bodyOf(step)
  if (!isChain(body) || body.immutable || body.args.length > 0) return [step]
  if (PLACES.some((name) => isGiven(body.options[name]))) return [step]
  const [first, ...others] = unchained(body, reach)
  if (first === undefined || isGroup(first)) return [step]
  const { task_id: _id, link: _link, link_error: _linkError, ...options } = body.options
  return [withKwargs(step, { body: withOptions(first, options) }), ...others]
}

/** Options of a chain that are about its end. */
const PLACES = ['chain', 'chord', 'group_id', 'group_index']

function append(steps: SignatureData[], given: SignatureData, reach: ErrbackReach): void {
  const part = unchunked(given)
  if (isChain(part)) {
    for (const step of unchained(part, reach)) append(steps, step, reach)
    return
  }
  if (isGroup(part)) {
    const [only, ...others] = tasksOf(part)
    if (only === undefined) return
    if (others.length === 0) {
      append(steps, only, reach)
      return
    }
  }
  const last = steps.at(-1)
  if (last !== undefined && isGroup(last)) {
    steps[steps.length - 1] = upgrade(last, part, reach)
  } else if (last !== undefined && isChord(last) && !isChord(part)) {
    steps[steps.length - 1] = withKwargs(last, { body: compose([bodyOf(last), part], reach) })
  } else {
    steps.push(part)
  }
}

/** A group that something follows is the header of a chord. Its options were for its members, not for the body. */
function upgrade(group: SignatureData, body: SignatureData, reach: ErrbackReach): SignatureData {
  const { task_id: id, link: _link, link_error: _linkError, ...options } = group.options
  const errbacks = signaturesIn(group.options, 'link_error')
  const header = tasksOf(group).map((task) => withOptions(linkErrorTo(task, errbacks, reach), options))
  return chordData(header, body, id === undefined ? {} : { task_id: id })
}

/** The steps of a chain; its links go to the last one, its errbacks to each. */
export function unchained(chain: SignatureData, reach: ErrbackReach): readonly SignatureData[] {
  const callbacks = signaturesIn(chain.options, 'link')
  const errbacks = signaturesIn(chain.options, 'link_error')
  const steps = tasksOf(chain)
  if (callbacks.length === 0 && errbacks.length === 0) return steps
  return steps.map((step, i) => {
    const linked = i === steps.length - 1 ? linkTo(step, callbacks) : step
    return linkErrorTo(linked, errbacks, reach)
  })
}

/** How many parts one member of a chord's header brings (wire protocol, section 11.2). */
export function partsOf(member: SignatureData): number {
  if (isGroup(member)) return tasksOf(member).reduce((sum, each) => sum + partsOf(each), 0)
  if (isChord(member)) return partsOf(bodyOf(member))
  if (!isChain(member)) return 1
  for (const step of tasksOf(member).toReversed()) {
    const parts = partsOf(step)
    if (parts > 0) return parts
  }
  return 0
}
