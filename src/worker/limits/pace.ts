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
  next(now: number, waitMs: number, intervalMs: number): number
}

/** No message stays away for longer: limits may be changed, and other workers may have room. */
const LONGEST_MS = 30_000

/**
 * One after the other at the pace at which they can be taken, so that each is claimed again once or twice and not every
 * moment. Where that would be too far ahead, they are scattered.
 *
 * @param random - from 0 to 1.
 */
export function createReturns(random: () => number = Math.random): Returns {
  let last = -Infinity
  return {
    next(now, waitMs, intervalMs) {
      const at = Math.max(last + intervalMs, now + waitMs)
      if (at - now > LONGEST_MS) return LONGEST_MS * (0.5 + random() / 2)
      last = at
      return at - now
    },
  }
}
