/** How many messages a worker may hold, and how many it should claim at once (wire protocol, section 6.2). */
export interface Prefetch {
  /** Messages that may be held at this moment. */
  limit(this: void): number
  /** Messages of one claim at most. */
  claimSize(this: void): number
  /** A claim came back after so many milliseconds. */
  claimed(this: void, ms: number): void
  /** The messages of a claim were handed to the pool, which took so many milliseconds: those of tasks that block. */
  handedOver(this: void, count: number, ms: number): void
}

/** More in one claim would only wait in line here. */
const MOST_PER_CLAIM = 200

/** Celery's: a number for each slot; 0 is no limit. */
export function fixedPrefetch(concurrency: () => number, multiplier: number): Prefetch {
  return {
    limit: () => (multiplier === 0 ? Infinity : concurrency() * multiplier),
    claimSize: () => MOST_PER_CLAIM,
    claimed: () => undefined,
    handedOver: () => undefined,
  }
}

/** What begins within this is no burden to others. */
const SOON_MS = 10
/** Also where a round trip takes longer. */
const LATEST_SOON_MS = 50
/** Two full claims: one is worked while the other is on its way. */
const MOST_AHEAD = 2 * MOST_PER_CLAIM
/** A claim of tasks that block is worked within this. */
const BLOCKED_MS = 100
/** Assumed of tasks before any was seen. */
const FIRST_COST_MS = 10
const SAMPLE_MS = 5
/** What was so long ago counts a third. */
const MEMORY_MS = 50

/**
 * One message for each slot, and beside that what will begin soon, by the pace at which tasks end at the moment: with
 * short tasks hundreds, so that claims are large and the pool does not run dry in between; with long ones none.
 * Decision 6 has the reasons.
 *
 * @param ended - counts the tasks that have ended.
 * @param now - milliseconds that never go backwards.
 */
export function adaptivePrefetch(
  concurrency: () => number,
  ended: () => number,
  now: () => number,
): Prefetch {
  /** Tasks ended in a millisecond. */
  let pace = 0
  let sampledAt = now()
  let endedBefore = ended()
  let roundTripMs = 1
  /** Milliseconds for which one task blocks the event loop. */
  let costMs = FIRST_COST_MS

  const sample = (): void => {
    const ms = now() - sampledAt
    if (ms < SAMPLE_MS) return
    const count = ended()
    pace += ((count - endedBefore) / ms - pace) * (1 - Math.exp(-ms / MEMORY_MS))
    sampledAt += ms
    endedBefore = count
  }

  return {
    limit() {
      sample()
      const soonMs = Math.min(LATEST_SOON_MS, Math.max(SOON_MS, 2 * roundTripMs))
      return concurrency() + Math.min(MOST_AHEAD, Math.floor(pace * soonMs))
    },
    claimSize: () => Math.max(1, Math.min(MOST_PER_CLAIM, Math.floor(BLOCKED_MS / costMs))),
    claimed(ms) {
      roundTripMs += (ms - roundTripMs) / 4
    },
    handedOver(count, ms) {
      if (count > 0) costMs += (ms / count - costMs) / 2
    },
  }
}
