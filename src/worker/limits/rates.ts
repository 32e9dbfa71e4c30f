import { parseRate, perSecond, type RateLimit, type SharedRateLimit } from '../../app/rate-limit.js'
import { createPace, createReturns, type Pace, type Returns } from './pace.js'
import type { Aside, KeyOf, LimitedRequest } from './aside.js'
import type { Clock } from '../../clock.js'
import type { Coordination, Turn } from '../../coordination/coordination.js'
import type { Log } from '../../log.js'
import type { RegisteredTask } from '../../app/registered-task.js'
import type { Request } from '../request.js'
import type { Settings } from '../../app/settings.js'

/**
 * Rate limits: when the calls of a task may start.
 *
 * Each call reserves a turn of its own, here or in Redis. One that comes soon is waited for beside the waiting room; a
 * later one is none yet: its message is parked until about then, and reserves one when it comes back. So neither this
 * worker nor its prefetch fills up with calls that must not start, however many there are.
 */
export interface Rates {
  /** Undefined: no limit, which is nearly always the case. */
  rateOf(this: void, task: RegisteredTask): Rate | undefined
  /** Change a rate in this worker. @throws InvalidArgumentError */
  set(task: string, rate: RateLimit): void
  /** Wait for the turn, here or in Redis, then go on. */
  wait(limited: LimitedRequest, rate: Rate, goOn: (limited: LimitedRequest) => void): void
  /** Forget the turns. */
  close(): void
}

export type Rate =
  { readonly kind: 'own'; readonly pace: Pace } | { readonly kind: 'shared'; readonly limit: SharedRateLimit }

export interface RatesParts {
  readonly settings: Settings
  readonly aside: Aside
  readonly coordination: () => Coordination
  readonly keyOf: KeyOf
  readonly park: (request: Request, until: Date) => void
  readonly clock: Clock
  readonly log: Log
}

/** What has its turn within this waits here. */
const SOON_MS = 1000
/** Redis did not answer: asked again after this. */
const AGAIN_MS = 500

export function createRates(parts: RatesParts): Rates {
  const { settings, aside, coordination, park, clock, log } = parts
  const own = new Map<string, Rate | undefined>()
  const shared = new Map<SharedRateLimit, Rate>()
  /** By key: when calls come back, and before when there is no use in asking. */
  const places = new Map<string, { readonly returns: Returns; askFrom: number }>()
  const returns = createReturns()
  const timers = new Set<NodeJS.Timeout>()
  const isOff = settings.workerDisableRateLimits
  const defaultRate = settings.taskDefaultRateLimit

  const createOwn = (rate: RateLimit | undefined): Rate | undefined => {
    const count = parseRate(rate)
    return count === 0 ? undefined : { kind: 'own', pace: createPace(count) }
  }

  const placeOf = (key: string): { readonly returns: Returns; askFrom: number } => {
    const known = places.get(key)
    if (known !== undefined) return known
    // Keys are made of arguments, and there may be any number of them.
    if (places.size >= MOST_PLACES) places.clear()
    const place = { returns: returns(), askFrom: -Infinity }
    places.set(key, place)
    return place
  }

  const after = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      action()
    }, ms)
    timers.add(timer)
  }

  /** @param limited - is aside. */
  const follow = (
    limited: LimitedRequest,
    key: string,
    { isReserved, waitMs }: Turn,
    intervalMs: number,
    goOn: (limited: LimitedRequest) => void,
  ): void => {
    if (isReserved) {
      if (waitMs > 0) after(waitMs, () => void (aside.takeBack(limited) && goOn(limited)))
      else if (aside.takeBack(limited)) goOn(limited)
      return
    }
    const place = placeOf(key)
    // It comes back while its turn can be reserved, and waited for to the millisecond.
    const beforeMs = waitMs - SOON_MS / 2
    place.askFrom = clock.now() + waitMs - SOON_MS
    const ms = place.returns.next(clock.now(), beforeMs, intervalMs)
    if (aside.takeBack(limited)) park(limited.request, new Date(clock.now() + ms))
  }

  const askShared = (
    limited: LimitedRequest,
    key: string,
    intervalMs: number,
    goOn: (limited: LimitedRequest) => void,
  ): void => {
    const missingMs = placeOf(key).askFrom - clock.now()
    if (missingMs > 0) {
      follow(limited, key, { isReserved: false, waitMs: missingMs + SOON_MS }, intervalMs, goOn)
      return
    }
    coordination()
      .reserveTurn(key, intervalMs, aside.hasRoom() ? SOON_MS : 0)
      .then(
        (turn) => follow(limited, key, turn, intervalMs, goOn),
        (error: unknown) => {
          if (aside.isClosed) return
          log.warn({ err: error }, 'could not reserve the turn of a task; trying again')
          after(AGAIN_MS, () => askShared(limited, key, intervalMs, goOn))
        },
      )
  }

  return {
    rateOf(task) {
      const { rateLimit = defaultRate } = task.options
      if (isOff || (rateLimit === undefined && own.size === 0)) return undefined
      const { name } = task
      if (own.has(name)) return own.get(name)
      if (typeof rateLimit === 'object' && rateLimit !== null) {
        const known = shared.get(rateLimit) ?? { kind: 'shared', limit: rateLimit }
        shared.set(rateLimit, known)
        return known
      }
      const rate = createOwn(rateLimit)
      own.set(name, rate)
      return rate
    },
    set(task, rate) {
      own.set(task, createOwn(rate))
      places.delete(task)
    },
    wait(limited, rate, goOn) {
      const { message } = limited.request
      aside.add(limited)
      if (rate.kind === 'own') {
        const turn = rate.pace.reserve(clock.now(), aside.hasRoom() ? SOON_MS : 0)
        follow(limited, message.task, turn, rate.pace.intervalMs, goOn)
        return
      }
      const key = parts.keyOf(rate.limit.key, message)
      if (key === undefined) {
        if (aside.takeBack(limited)) goOn(limited)
      } else askShared(limited, key, 1000 / perSecond(rate.limit), goOn)
    },
    close() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}

const MOST_PLACES = 10_000
