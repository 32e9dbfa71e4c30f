import { fullJitterMs } from '../backoff.js'
import type { Clock } from '../clock.js'
import type { Log } from '../log.js'

const BACKOFF = { firstMs: 50, longestMs: 2000 }

export interface Persistence {
  readonly clock: Clock
  readonly log: Log
  /** Ends all trying. */
  readonly signal: AbortSignal
}

/**
 * Do what fails while Redis is away, again and again until it succeeds, with pauses that grow.
 *
 * @param what - Ends the sentence "could not …" in the log.
 * @param isWanted - Asked before each attempt.
 * @returns What it resolved with, or undefined where it was given up.
 */
export async function persist<T>(
  what: string,
  action: () => Promise<T>,
  { clock, log, signal }: Persistence,
  isWanted: () => boolean = () => true,
): Promise<{ readonly value: T } | undefined> {
  for (let attempt = 1; !signal.aborted && isWanted(); attempt++) {
    try {
      return { value: await action() }
    } catch (error) {
      log.warn({ err: error }, `could not ${what}; trying again`)
      await clock.sleep(fullJitterMs(attempt, BACKOFF), signal)
    }
  }
  return undefined
}
