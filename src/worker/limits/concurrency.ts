import { byArrival, type Aside, type KeyOf, type LimitedRequest } from './aside.js'
import { createKeySlots, type KeySlotsParts } from './key-slots.js'
import { createLines, type Key } from './lines.js'
import type { Clock } from '../../clock.js'
import type { Delivery } from '../../broker/broker.js'
import type { LookAhead } from './look-ahead.js'
import type { Request } from '../request.js'
import type { Slots } from '../pool/slots.js'

/**
 * Concurrency limits over all workers: how many calls of one key may run at once, and whose turn it is.
 *
 * A call waits in a line of its key beside the waiting room; what finds the line long enough is parked in Redis for about
 * as long as those before it take. A slot of the pool that gets free goes to the keys in turn. Only then is Redis asked
 * for a slot of the key, so that no call has the one while it waits for the other. Refused, it goes back to the front of
 * its line, which is ready again when a call of the key ends here, and tried every now and then for what ends elsewhere.
 *
 * A slot of a key is taken for the time of a lease, and kept while its call runs. It is free again when the call has
 * ended, or when the lease of a worker that died is over: invariant: no more than the limit run, as long as each worker
 * reaches Redis within its lease.
 */
export interface ConcurrencyLimits {
  /** @returns false where the request is not limited, and may enter the waiting room. */
  hold(limited: LimitedRequest): boolean
  /** Run a request that has a slot of the pool; undefined: it is not limited. */
  start(this: void, request: Request): Promise<void> | undefined
  /** These do not come to their slot of the pool after all. */
  left(this: void, deliveries: readonly Delivery[]): void
  /** Calls without a limit were handed back, which waited for a slot: they come next where they come again. */
  keepTurn(this: void): void
  /** How many calls of it are in hand. */
  readonly inHand: number
  /** How many could begin if there were slots for them. */
  readonly ready: number
  close(): void
}

export interface ConcurrencyParts extends KeySlotsParts {
  readonly aside: Aside
  readonly slots: Slots
  readonly lookAhead: LookAhead
  readonly keyOf: KeyOf
  /** It has a slot of the pool. Settles when that is free again. */
  readonly begin: (limited: LimitedRequest) => void | Promise<void>
  readonly run: (request: Request) => void | Promise<void>
  readonly park: (request: Request, until: Date) => void
  /** To where any worker may find them. */
  readonly handBack: (deliveries: readonly Delivery[]) => void
  /** The worker stops: hand it back. */
  readonly release: (request: Request) => void
  readonly clock: Clock
}

/** How often a line is tried that nothing here moves on. */
const TRY_EVERY_MS = 200
/** Who is refused for so long goes to where any worker may find it; so do all, where no slot gets free for so long. */
const LONGEST_IN_LINE_MS = 3000
/** A slot is kept for who was handed back, and whose turn it is, while the worker looks for it. */
const KEEP_TURN_MS = 50

export function createConcurrencyLimits(parts: ConcurrencyParts): ConcurrencyLimits {
  const { aside, slots, lookAhead, begin, run, park, release, clock } = parts
  const keySlots = createKeySlots(parts)
  const lines = createLines(parts)
  const keys = new Map<string, Key>()
  /** Between a slot of the pool and one of the key. */
  const trying = new Map<Delivery, { readonly key: Key; readonly limited: LimitedRequest }>()
  /** So many have a slot of the pool. */
  let granted = 0
  /** Have free slots given to what is ready. */
  let fill: (() => void) | undefined
  let grantedAt = -Infinity
  let looking: NodeJS.Timeout | undefined
  /** Whose lines were handed back, in the order of their turns; a slot is kept for them first. */
  let away: readonly Key[] | undefined
  /** How many that were. */
  let sought = 0
  let keeping: NodeJS.Timeout | undefined

  const keyOf = ({ message, task }: Request): Key | undefined => {
    const { concurrencyLimit: limit, concurrencyKey } = task.options
    if (limit === undefined) return undefined
    const name = parts.keyOf(concurrencyKey, message)
    if (name === undefined) return undefined
    const known = keys.get(name)
    if (known !== undefined) return known
    const key = lines.newKey(name, limit)
    keys.set(name, key)
    return key
  }

  const next = (): (() => void | Promise<void>) | undefined => {
    if (away !== undefined) keepSlot(away)
    if (keeping !== undefined) return undefined
    const found = lines.next()
    if (found === undefined) return undefined
    const { key, limited } = found
    key.trying++
    granted++
    trying.set(limited.request.delivery, found)
    lines.offer(key)
    grantedAt = clock.passedMs()
    lookAhead.granted()
    return () => begin(limited)
  }

  /** Claim those that were handed back, if they are still there, before the slot goes to others. */
  const keepSlot = (order: readonly Key[]): void => {
    away = undefined
    lookAhead.seek(sought)
    sought = 0
    keeping = setTimeout(() => {
      keeping = undefined
      lookAhead.seek(0)
      lines.restore(order)
      for (const key of order) settle(key)
      fill?.()
    }, KEEP_TURN_MS)
  }

  /** Where no slot has got free for long, other workers may have one. */
  const handBackLines = (): void => {
    const order = lines.order()
    const left = order.flatMap((key) => lines.clear(key))
    if (left.length === 0) return
    sought += left.length
    away = [...new Set([...(away ?? []), ...order])]
    lookAhead.handedBack()
    parts.handBack(left.toSorted(byArrival).map(({ request }) => request.delivery))
  }
  const lookAtLines = (): void => {
    looking ??= setTimeout(() => {
      looking = undefined
      if (clock.passedMs() - grantedAt >= LONGEST_IN_LINE_MS && lines.order().length > 0) handBackLines()
      if (lines.waiting > 0) lookAtLines()
    }, LONGEST_IN_LINE_MS)
  }

  /** See to it that a line moves that is refused, and forget a key that nobody waits for. */
  const settle = (key: Key): void => {
    if (key.line.length > 0) {
      if (key.asks === 'not now') tryLater(key)
      return
    }
    clearTimeout(key.timer)
    key.timer = undefined
    const isIdle = key.trying + key.running === 0 && away?.includes(key) !== true
    if (isIdle && keys.get(key.name) === key) keys.delete(key.name)
  }
  const tryLater = (key: Key): void => {
    key.timer ??= setTimeout(
      () => {
        key.timer = undefined
        sendAwayTheOld(key)
        key.asks = 'one at a time'
        lines.offer(key)
        settle(key)
        fill?.()
      },
      TRY_EVERY_MS * (0.5 + Math.random()),
    )
  }
  const sendAwayTheOld = (key: Key): void => {
    if (key.refusedSince === undefined || clock.passedMs() - key.refusedSince < LONGEST_IN_LINE_MS) return
    key.refusedSince = undefined
    for (const { request } of lines.clear(key))
      park(request, new Date(clock.now() + Math.random() * TRY_EVERY_MS))
  }

  const startIn = async (key: Key, limited: LimitedRequest): Promise<void> => {
    const { request } = limited
    trying.delete(request.delivery)
    const startedAt = clock.passedMs()
    const slot = await keySlots.take(key.name, key.limit)
    key.trying--
    if (slot === undefined) {
      granted--
      key.asks = 'not now'
      key.refusedSince ??= startedAt
      if (aside.isClosed) release(request)
      else lines.rejoin(key, limited)
      settle(key)
      return
    }
    key.refusedSince = undefined
    key.firstStartAt ??= startedAt
    key.running++
    if (key.asks !== 'freely') {
      key.asks = 'freely'
      lines.offer(key)
      fill?.()
    }
    await run(request)
    lines.ended(key, clock.passedMs() - startedAt)
    key.running--
    granted--
    keySlots.giveBack(slot)
    key.asks = 'freely'
    lines.offer(key)
    settle(key)
  }

  return {
    hold(limited) {
      const key = keyOf(limited.request)
      if (key === undefined) return false
      if (aside.isClosed) {
        release(limited.request)
        return true
      }
      fill ??= slots.shareWith(next)
      lines.arrive(key, limited)
      settle(key)
      lookAtLines()
      fill()
      return true
    },
    start(request) {
      const found = trying.get(request.delivery)
      return found && startIn(found.key, found.limited)
    },
    left(deliveries) {
      if (trying.size === 0) return
      for (const delivery of deliveries) {
        const found = trying.get(delivery)
        if (found === undefined) continue
        trying.delete(delivery)
        found.key.trying--
        granted--
        lines.offer(found.key)
        settle(found.key)
      }
    },
    keepTurn() {
      if (granted === 0) return
      away ??= []
      lookAhead.handedBack()
    },
    get inHand() {
      return lines.waiting + granted
    },
    get ready() {
      return lines.ready
    },
    close() {
      keySlots.close()
      for (const timer of [looking, keeping]) clearTimeout(timer)
      for (const { timer } of keys.values()) clearTimeout(timer)
    },
  }
}
