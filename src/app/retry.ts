import type { TaskOptions } from './task-options.js'

/** Celery's defaults of a task's `max_retries` and `default_retry_delay`. */
export const DEFAULT_MAX_RETRIES = 3
export const DEFAULT_RETRY_DELAY_SECONDS = 180

/** Whether a thrown value is one of `autoretryFor` and none of `dontAutoretryFor`. */
export function isAutoretried(options: TaskOptions, thrown: unknown): boolean {
  const { autoretryFor = [], dontAutoretryFor = [] } = options
  return (
    autoretryFor.some((type) => thrown instanceof type) &&
    !dontAutoretryFor.some((type) => thrown instanceof type)
  )
}

/**
 * Seconds to wait before an automatic retry (Celery's `get_exponential_backoff_interval`).
 *
 * @param retries - how many retries there were so far.
 * @param random - a number from 0 to 1.
 */
export function autoretryCountdown(options: TaskOptions, retries: number, random: number): number {
  const { retryBackoff = false, retryBackoffMax = 600, retryJitter = true, defaultRetryDelay } = options
  if (retryBackoff === false) return defaultRetryDelay ?? DEFAULT_RETRY_DELAY_SECONDS
  const factor = retryBackoff === true ? 1 : retryBackoff
  const countdown = Math.min(retryBackoffMax, factor * 2 ** retries)
  return retryJitter ? Math.floor(random * (countdown + 1)) : countdown
}

/** When a countdown in seconds is over; undefined where there is none to wait for, and no ETA is sent (section 13.3). */
export function endOfCountdown(seconds: number): Date | undefined {
  return seconds === 0 ? undefined : new Date(Date.now() + seconds * 1000)
}

/** Whether there is no retry left after `retries` of them. */
export function retriesExhausted(maxRetries: number | null, retries: number): boolean {
  return maxRetries !== null && retries >= maxRetries
}
