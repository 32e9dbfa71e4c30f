import { fullJitterMs } from '../backoff.js'
import { LovageError } from '../errors.js'
import { PublishError } from '../broker/errors.js'
import type { Persistence } from './persist.js'

const BACKOFF = { firstMs: 50, longestMs: 2000 }

/**
 * Try until the servers have taken it. Where a message may have been sent already it is sent again: a callback that
 * runs twice is at least once, one that never runs is lost.
 *
 * @throws whatever trying again would not help, such as an EncodeError.
 */
export async function untilSent<T>(
  { clock, log, signal }: Persistence,
  action: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action()
    } catch (error) {
      if (!isPassing(error) || signal.aborted) throw error
      log.warn({ err: error }, 'could not send what follows a task; trying again')
      await clock.sleep(fullJitterMs(attempt, BACKOFF), signal)
    }
  }
}

/** Whether the same may succeed later: a server could not be reached, or was in no state to answer. */
export function isPassing(error: unknown): boolean {
  if (error instanceof PublishError) return error.code !== 'BROKER_CLOSED'
  if (error instanceof LovageError) return error.code === 'REDIS_UNAVAILABLE'
  // What is not ours, and no mistake of ours, comes from a connection.
  return error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError)
}
