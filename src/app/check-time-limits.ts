import { describeValue, InvalidArgumentError } from '../errors.js'

interface TimeLimits {
  readonly timeLimit?: number | undefined
  readonly softTimeLimit?: number | undefined
}

/**
 * Whether a task would be asked to end after the limit that ends it. Celery refuses that, too, when a task is called that
 * says so of itself. 0 is no limit.
 */
export function isSoftTooLate({ timeLimit, softTimeLimit }: TimeLimits): boolean {
  return Boolean(timeLimit) && Number(softTimeLimit) > Number(timeLimit)
}

export function faultOfTimeLimits(limits: TimeLimits): string | undefined {
  if (!isSoftTooLate(limits)) return undefined
  const { timeLimit, softTimeLimit } = limits
  return `softTimeLimit: expected at most the timeLimit, ${timeLimit} s, got ${describeValue(softTimeLimit)}`
}

/** @throws InvalidArgumentError */
export function checkTimeLimits(limits: TimeLimits): void {
  const fault = faultOfTimeLimits(limits)
  if (fault !== undefined) throw new InvalidArgumentError(fault)
}
