import { byArrival, type Aside, type LimitedRequest } from './aside.js'
import { createReturns, type Returns } from './pace.js'
import { createTurns } from './turns.js'
import type { Clock } from '../../clock.js'
import type { Request } from '../request.js'
import type { Slots } from '../pool/slots.js'

/** A key of a concurrency limit, as long as this worker has calls of it in hand. */
export interface Key {
  readonly name: string
  readonly limit: number
  /** In the order of their arrival. */
  readonly line: LimitedRequest[]
  /** Since when the first one has been refused, while it is. */
  refusedSince: number | undefined
  /** Refused a moment ago; then one may ask again, and all others when it was not. */
  asks: 'freely' | 'one at a time' | 'not now'
  readonly returns: Returns
  /** Have a slot of the pool, or are about to, and none of the key yet. */
  trying: number
  running: number
  /** Milliseconds for which a call has its slot of the pool; undefined: none has ended yet. */
  callMs: number | undefined
  firstStartAt: number | undefined
  timer: NodeJS.Timeout | undefined
}

/**
 * Calls with a concurrency limit that wait in this worker, in a line for each key. A line is as long as about a second
 * takes, and all of them together as there is room aside; what finds no place is parked until about when there may be one.
 */
export interface Lines {
  newKey(name: string, limit: number): Key
  /** A call came: it joins the line of its key, or is parked. */
  arrive(key: Key, limited: LimitedRequest): void
  /** It had left the line, and takes its place again. */
  rejoin(key: Key, limited: LimitedRequest): void
  /** The key has a turn, if it may begin a call and has one: after all that have one. */
  offer(key: Key): void
  /** The call whose turn it is. */
  next(): { readonly key: Key; readonly limited: LimitedRequest } | undefined
  /** All leave the line. */
  clear(key: Key): LimitedRequest[]
  /** A call of the key has ended, after so many milliseconds. */
  ended(key: Key, ms: number): void
  /** Keys in the order of their turns. */
  order(): readonly Key[]
  /** Those of them that have a turn come first, in this order. */
  restore(order: readonly Key[]): void
  /** How many calls wait. */
  readonly waiting: number
  /** How many of them could begin if there were slots for them. */
  readonly ready: number
}

export interface LinesParts {
  readonly aside: Aside
  readonly slots: Slots
  readonly park: (request: Request, until: Date) => void
  readonly clock: Clock
}

/** A line holds what begins within this, if the slots are all its own. */
const LINE_MS = 1000
const SHORTEST_LINE = 8
const SHORTEST_CALL_MS = 1
/** Slots are shared with keys whose lines may end any time. */
const MOST_SHARES = 4
/** Assumed at most while none of a key could begin here. */
const REFUSED_MS = 100

export function createLines({ aside, slots, park, clock }: LinesParts): Lines {
  const newReturns = createReturns()
  /** Keys with a line. */
  const lines = new Set<Key>()
  const turns = createTurns<Key>()
  let waiting = 0

  const isReady = ({ line, asks, trying: asking, running: taken, limit }: Key): boolean =>
    line.length > 0 && asks !== 'not now' && asking + taken < limit && (asks === 'freely' || asking === 0)
  const offer = (key: Key): void => {
    if (isReady(key)) turns.offer(key)
  }

  const rejoin = (key: Key, limited: LimitedRequest): void => {
    aside.add(limited)
    waiting++
    lines.add(key)
    const before = key.line.findLastIndex((each) => byArrival(each, limited) < 0)
    key.line.splice(before + 1, 0, limited)
    offer(key)
  }
  /** Of those that leave a line; undefined where it was handed back at a stop. */
  const leave = (key: Key, limited: LimitedRequest | undefined): LimitedRequest | undefined => {
    if (key.line.length === 0) lines.delete(key)
    if (limited === undefined) return undefined
    waiting--
    return aside.takeBack(limited) ? limited : undefined
  }

  /** Calls that begin in a millisecond, if all slots are for this key. */
  const pace = ({ limit, callMs, firstStartAt, refusedSince }: Key): number => {
    const now = clock.passedMs()
    const ms =
      callMs ??
      (firstStartAt === undefined ? Math.min(REFUSED_MS, now - (refusedSince ?? now)) : now - firstStartAt)
    return Math.min(limit, slots.concurrency) / Math.max(SHORTEST_CALL_MS, ms)
  }
  const longestLine = (key: Key): number =>
    Math.max(SHORTEST_LINE, 2 * Math.min(key.limit, slots.concurrency), pace(key) * LINE_MS)
  const parkForAWhile = (key: Key, { request }: LimitedRequest): void => {
    const perMs = pace(key)
    const sharePerMs = perMs / Math.min(Math.max(1, lines.size), MOST_SHARES)
    // Other workers may take some as well; but each that finds the line full costs as much as one that runs.
    const returnsPerMs = Math.max(1.1 * sharePerMs, Math.min(4 * sharePerMs, 0.5))
    const before = Math.min(key.line.length, longestLine(key))
    const ms = key.returns.next(clock.now(), before / perMs / 2, 1 / returnsPerMs)
    park(request, new Date(clock.now() + ms))
  }
  /** Where the room aside is taken, the longest line gives way. */
  const makeRoom = (key: Key): boolean => {
    if (aside.hasRoom()) return true
    if (key.line.length * lines.size >= waiting) return false
    let longest = key
    for (const each of lines) if (each.line.length > longest.line.length) longest = each
    if (longest.line.length <= key.line.length + 1) return false
    const last = leave(longest, longest.line.pop())
    if (last !== undefined) parkForAWhile(longest, last)
    return aside.hasRoom()
  }
  const arrive = (key: Key, limited: LimitedRequest): void => {
    const beginsAtOnce = (): boolean => key.line.length === 0 && slots.active < slots.concurrency
    if (key.line.length < longestLine(key) && (makeRoom(key) || beginsAtOnce())) rejoin(key, limited)
    else parkForAWhile(key, limited)
  }

  return {
    newKey: (name, limit) => ({
      ...{ name, limit, line: [], refusedSince: undefined, asks: 'freely', returns: newReturns() },
      ...{ trying: 0, running: 0, callMs: undefined, firstStartAt: undefined, timer: undefined },
    }),
    arrive,
    rejoin,
    offer,
    next() {
      for (;;) {
        const key = turns.next()
        if (key === undefined) return undefined
        if (!isReady(key)) continue
        const limited = leave(key, key.line.shift())
        if (limited !== undefined) return { key, limited }
        offer(key)
      }
    },
    clear: (key) => key.line.splice(0).flatMap((each) => leave(key, each) ?? []),
    ended(key, callMs) {
      const ms = Math.max(SHORTEST_CALL_MS, callMs)
      // A geometric mean: a few that took much longer must not keep the others away.
      key.callMs = (key.callMs ?? ms) * Math.pow(ms / (key.callMs ?? ms), 1 / 8)
    },
    order: turns.list,
    restore: turns.restore,
    get waiting() {
      return waiting
    },
    get ready() {
      let count = 0
      for (const { line, limit, trying, running } of turns.list())
        count += Math.min(line.length, limit - trying - running)
      return count
    },
  }
}
