import { describeValue, InvalidArgumentError } from '../errors.js'
import { every } from './interval.js'
import { isSchedule, type Schedule } from './schedule.js'

/**
 * A schedule as Celery lets people write it: one made by `crontab` or `every`, or a number of seconds.
 *
 * @throws InvalidArgumentError for anything else.
 */
export function readSchedule(value: unknown, options: { readonly relative?: boolean } = {}): Schedule {
  if (typeof value === 'number') return every(value, options)
  if (isSchedule(value)) return value
  throw new InvalidArgumentError(
    `schedule is ${describeValue(value)}; expected crontab(...), every(...) or a number of seconds`,
  )
}
