import { createReturns, type Returns } from './pace.js'
import type { Aside, KeyOf, LimitedRequest } from './aside.js'
import type { Clock } from '../../clock.js'
import type { Coordination, Slot } from '../../coordination/coordination.js'
import type { Delivery } from '../../broker/broker.js'
import type { Log } from '../../log.js'
import type { Request } from '../request.js'

/**
 * Concurrency limits over all workers: how many calls of one key may run at once.
 *
 * A call asks Redis for a slot of its key when a slot of the pool is its own, so that it never has the one while it waits
 * for the other. Refused, it leaves the pool and waits in a line beside the waiting room, short and one for each key; what
 * finds the line full is parked in Redis for about as long as those before it take. The line moves on when a call of its
 * key ends here, and is tried every now and then for what ends elsewhere.
 *
 * A slot is taken for the time of a lease, and kept while its call runs. It is free again when the call has ended, or
 * when the lease of a worker that died is over: invariant: no more than the limit run, as long as each worker reaches
 * Redis within its lease.
 */
export interface ConcurrencyLimits {
  /** @returns false where the request is not limited, and may enter the waiting room. */
  hold(limited: LimitedRequest): boolean
  /** Run a request that has a slot of the pool; undefined: it is not limited. */
  start(this: void, request: Request): Promise<void> | undefined
  /** These do not come to their slot of the pool after all. */
  left(this: void, deliveries: readonly Delivery[]): void
  close(): void
}

export interface ConcurrencyParts {
  readonly aside: Aside
  readonly coordination: () => Coordination
  /** Names this worker among all. */
  readonly holder: string
  readonly leaseMs: number
  readonly keyOf: KeyOf
  readonly enter: (limited: LimitedRequest) => void
  readonly run: (request: Request) => void | Promise<void>
  readonly park: (request: Request, until: Date) => void
  /** The worker stops: hand it back. */
  readonly release: (request: Request) => void
  readonly clock: Clock
  readonly log: Log
}

interface Key {
  readonly name: string
  readonly limit: number
  readonly line: LimitedRequest[]
  readonly since: Map<LimitedRequest, number>
  readonly returns: Returns
  /** On their way to a slot of the pool, or asking Redis. */
  trying: number
  running: number
  /** Milliseconds that a call takes. */
  meanMs: number
  timer: NodeJS.Timeout | undefined
}

/** How often a line is tried that nothing here moves on. */
const TRY_EVERY_MS = 200
/** Who has waited for so long in line without a slot goes to where any worker may find it. */
const LONGEST_IN_LINE_MS = 3000
const FIRST_MEAN_MS = 100

export function createConcurrencyLimits(parts: ConcurrencyParts): ConcurrencyLimits {
  const { aside, coordination, holder, leaseMs, enter, run, park, release, clock, log } = parts
  const keys = new Map<string, Key>()
  /** Between the waiting room's door and a slot of the pool. */
  const trying = new Map<Delivery, { readonly key: Key; readonly limited: LimitedRequest }>()
  const slots = new Set<Slot>()
  let renewing: NodeJS.Timeout | undefined
  let count = 0

  const keyOf = ({ message, task }: Request): Key | undefined => {
    const { concurrencyLimit: limit, concurrencyKey } = task.options
    if (limit === undefined) return undefined
    const name = parts.keyOf(concurrencyKey, message)
    if (name === undefined) return undefined
    const known = keys.get(name)
    if (known !== undefined) return known
    const key: Key = {
      name,
      limit,
      line: [],
      since: new Map(),
      returns: createReturns(),
      trying: 0,
      running: 0,
      meanMs: FIRST_MEAN_MS,
      timer: undefined,
    }
    keys.set(name, key)
    return key
  }

  const tryOne = (key: Key, limited: LimitedRequest): void => {
    key.trying++
    trying.set(limited.request.delivery, { key, limited })
    enter(limited)
  }

  const tryNext = (key: Key, most: number): void => {
    for (let left = most; left > 0 && key.trying + key.running < key.limit; left--) {
      const next = key.line.shift()
      if (next === undefined) break
      key.since.delete(next)
      if (aside.takeBack(next)) tryOne(key, next)
    }
    settle(key)
  }

  /** See to it that the line moves, and forget a key that nobody waits for. */
  const settle = (key: Key): void => {
    if (key.line.length > 0) {
      key.timer ??= setTimeout(
        () => {
          key.timer = undefined
          sendAwayTheOld(key)
          tryNext(key, 1)
        },
        TRY_EVERY_MS * (0.5 + Math.random()),
      )
      return
    }
    clearTimeout(key.timer)
    key.timer = undefined
    if (key.trying + key.running === 0 && keys.get(key.name) === key) keys.delete(key.name)
  }

  const sendAwayTheOld = (key: Key): void => {
    for (;;) {
      const [first] = key.line
      if (first === undefined || clock.now() - (key.since.get(first) ?? 0) < LONGEST_IN_LINE_MS) return
      key.line.shift()
      key.since.delete(first)
      if (aside.takeBack(first)) park(first.request, new Date(clock.now() + Math.random() * TRY_EVERY_MS))
    }
  }

  const intervalMs = (key: Key): number => Math.max(1, key.meanMs / key.limit / 4)

  const line = (key: Key, limited: LimitedRequest, at: 'front' | 'back'): void => {
    if (aside.isClosed) {
      release(limited.request)
      return
    }
    if (at === 'back' && (key.line.length >= Math.max(8, 4 * key.limit) || !aside.hasRoom())) {
      const waitMs = (key.line.length * key.meanMs) / key.limit
      const ms = key.returns.next(clock.now(), waitMs, intervalMs(key))
      park(limited.request, new Date(clock.now() + ms))
      return
    }
    aside.add(limited)
    key.since.set(limited, clock.now())
    if (at === 'front') key.line.unshift(limited)
    else key.line.push(limited)
  }

  const take = async (key: Key, slot: Slot): Promise<number | undefined> => {
    try {
      return await coordination().takeSlot(key.name, slot.holder, key.limit, leaseMs)
    } catch (error) {
      log.warn({ err: error, key: key.name }, 'could not ask for a slot of a concurrency limit; trying again')
      // It may have been given all the same.
      void giveBack(slot)
      return undefined
    }
  }

  const giveBack = (slot: Slot): Promise<void> =>
    coordination()
      .releaseSlot(slot)
      .catch((error: unknown) => {
        log.warn(
          { err: error, key: slot.key },
          'could not give a slot back; it is free when its lease is over',
        )
      })

  const keepSlots = (): void => {
    renewing ??= setInterval(() => {
      if (slots.size === 0) {
        clearInterval(renewing)
        renewing = undefined
        return
      }
      coordination()
        .keepSlots([...slots], leaseMs)
        .catch((error: unknown) => log.warn({ err: error }, 'could not keep the slots of concurrency limits'))
    }, leaseMs / 3)
  }

  const startIn = async (key: Key, request: Request): Promise<void> => {
    const limited = trying.get(request.delivery)?.limited
    trying.delete(request.delivery)
    const slot = { key: key.name, holder: `${holder}:${++count}` }
    const free = await take(key, slot)
    key.trying--
    if (free === undefined) {
      if (limited !== undefined) line(key, limited, 'front')
      settle(key)
      return
    }
    key.running++
    slots.add(slot)
    keepSlots()
    if (free > 0) tryNext(key, free)
    const startedAt = clock.now()
    await run(request)
    key.meanMs += (clock.now() - startedAt - key.meanMs) / 4
    key.running--
    slots.delete(slot)
    void giveBack(slot)
    tryNext(key, 1)
  }

  return {
    hold(limited) {
      const key = keyOf(limited.request)
      if (key === undefined) return false
      const mayTry = key.line.length === 0 && key.trying + key.running < key.limit
      if (mayTry) tryOne(key, limited)
      else {
        line(key, limited, 'back')
        settle(key)
      }
      return true
    },
    start(request) {
      const found = trying.get(request.delivery)
      return found && startIn(found.key, request)
    },
    left(deliveries) {
      if (trying.size === 0) return
      for (const delivery of deliveries) {
        const found = trying.get(delivery)
        if (found === undefined) continue
        trying.delete(delivery)
        found.key.trying--
        settle(found.key)
      }
    },
    close() {
      clearInterval(renewing)
      for (const { timer } of keys.values()) clearTimeout(timer)
    },
  }
}
