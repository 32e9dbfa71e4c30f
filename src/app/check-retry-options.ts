import { ANY, checkOptions, COUNT, DATE, DELAY, NAMED, type Checks } from './check-options.js'
import { describeValue, InvalidArgumentError } from '../errors.js'
import type { RetryOptions } from './task-context.js'

const CHECKS: Checks<RetryOptions> = {
  countdown: DELAY,
  eta: DATE,
  maxRetries: ['an integer, 0 or more, or null', (value) => value === null || COUNT[1](value)],
  cause: ANY,
  args: ['an array', Array.isArray],
  kwargs: NAMED,
}

/** @throws InvalidArgumentError */
export function checkRetryOptions(options: RetryOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new InvalidArgumentError(`retry: expected an object of options, got ${describeValue(options)}`)
  checkOptions('a retry', options, CHECKS)
}
