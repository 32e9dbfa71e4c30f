import type { Turn } from '../../coordination/coordination.js'

/** Turns that follow each other in a fixed interval. Nobody who comes late moves those of the others. */
export interface Pace {
  readonly intervalMs: number
  /**
   * Reserve the next turn.
   *
   * @param mostAheadMs - A turn that is farther away is not reserved.
   */
  reserve(now: number, mostAheadMs: number): Turn
}

/** A token bucket that holds one token, as Celery's: calls start evenly, never in bursts. */
export function createPace(perSecond: number): Pace {
  const intervalMs = 1000 / perSecond
  let next = -Infinity
  return {
    intervalMs,
    reserve(now, mostAheadMs) {
      // Farther away than anybody may reserve it is from before the clock was set back.
      const turn = next > now && next - now <= mostAheadMs + intervalMs ? next : now
      const waitMs = turn - now
      const isReserved = waitMs <= mostAheadMs
      if (isReserved) next = turn + intervalMs
      return { isReserved, waitMs }
    },
  }
}

/** When messages that cannot wait in a worker come back to one. */
export interface Returns {
  /**
   * @param waitMs - Milliseconds until there may be room again.
   * @param intervalMs - How often there is room for another one.
   * @returns milliseconds from now.
   */
  next(this: void, now: number, waitMs: number, intervalMs: number): number
}

/** Who is to come back later than this comes back as soon as it is its turn among those: limits may be changed. */
const FAR_MS = 15_000
/** Between those. */
const FAR_EVERY_MS = 2

/**
 * One after the other at the pace at which they can be taken, so that each is claimed again once or twice and not every
 * moment. Where that would be far ahead, they come back sooner, but no more than 500 a second.
 *
 * @returns to be called for each limit; what is far ahead has one pace in all of them.
 */
export function createReturns(): () => Returns {
  let lastFar = -Infinity
  return () => {
    let last = -Infinity
    return {
      next(now, waitMs, intervalMs) {
        const at = Math.max(last + intervalMs, now + waitMs)
        const far = Math.max(lastFar + FAR_EVERY_MS, now + FAR_MS)
        if (at <= far) last = at
        else lastFar = far
        return Math.min(at, far) - now
      },
    }
  }
}
