import { Cron } from 'croner'
import { describeValue, InvalidArgumentError } from '../errors.js'
import { CrontabError, crontabValues, type CrontabFields, type CrontabValue } from './crontab-fields.js'
import type { Schedule } from './schedule.js'
import { timeZone, utc } from './time-zone.js'

export interface CrontabOptions {
  /** IANA name. @default the application's `timezone`, and UTC without one */
  readonly timezone?: string | undefined
  /**
   * Seconds after which a missed run is not made up for any more.
   *
   * @default the application's `beatCronStartingDeadline`; without one, a missed run is always made up for
   */
  readonly startingDeadline?: number | undefined
}

const LONGEST_MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * A schedule by the wall clock, in Celery's grammar: `crontab({ minute: 0, hour: '8-18', dayOfWeek: 'mon-fri' })`.
 *
 * All five fields have to match, both day fields included. Every time of the wall clock happens once: one
 * that is skipped in spring runs an hour later (02:30 at 03:30), one that comes twice in autumn runs the first
 * time only. So `* * * * *` rests for the repeated hour, as in Celery; use `every`, or UTC, where it must not.
 *
 * @throws {@link CrontabError} for a field that Celery refuses, and for days that no month has.
 * @throws InvalidArgumentError for an unknown time zone or a deadline that is no positive number.
 * @see wire protocol, section 17.2
 */
export function crontab(fields: CrontabFields = {}, options: CrontabOptions = {}): Schedule {
  const { timezone, startingDeadline } = options
  const zone = timezone === undefined ? utc : timeZone(timezone)
  const deadlineMs = startingDeadline === undefined ? undefined : readDeadlineMs(startingDeadline)
  const search = matcher(fields)

  const nextDue = (after: Date): Date => {
    let wall = zone.toWall(after)
    for (;;) {
      const match = search.nextRun(wall)
      if (match === null) throw neverMatches(fields)
      const instant = zone.toInstant(match)
      // In the second of two equal hours the wall clock's next match may lie in the first, which is over.
      if (instant > after) return instant
      wall = match
    }
  }

  const isTooLate = (now: Date): boolean =>
    deadlineMs !== undefined && nextDue(new Date(now.getTime() - deadlineMs - 1)) > now

  return {
    isDue(lastRunAt, now) {
      const due = nextDue(lastRunAt)
      if (due > now) return { isDue: false, nextCheckMs: due.getTime() - now.getTime() }
      return { isDue: !isTooLate(now), nextCheckMs: nextDue(now).getTime() - now.getTime() }
    },
    nextDue,
    settledAt: (_lastRunAt, now) => now,
    withDefaults: (defaults) =>
      crontab(fields, {
        timezone: timezone ?? defaults.timezone,
        startingDeadline: startingDeadline ?? defaults.cronStartingDeadline,
      }),
    describe: () => `crontab ${texts(fields).join(' ')} (${zone.name})`,
  }
}

/** Finds matching minutes among wall clock times written as UTC. */
function matcher(fields: CrontabFields): Cron {
  const { minute = '*', hour = '*', dayOfMonth = '*', monthOfYear = '*', dayOfWeek = '*' } = fields
  const days = crontabValues('dayOfMonth', dayOfMonth)
  const months = crontabValues('monthOfYear', monthOfYear)
  const isPossible = months.some((month) => (days[0] ?? 1) <= (LONGEST_MONTHS[month - 1] ?? 0))
  if (!isPossible) throw neverMatches(fields)
  const pattern = [
    crontabValues('minute', minute),
    crontabValues('hour', hour),
    days,
    months,
    crontabValues('dayOfWeek', dayOfWeek),
  ].join(' ')
  return new Cron(pattern, { mode: '5-part', domAndDow: true, utcOffset: 0 })
}

function neverMatches(fields: CrontabFields): CrontabError {
  return new CrontabError(
    `crontab ${texts(fields).join(' ')} never happens; expected a day of the month that one of its months has`,
  )
}

function texts(fields: CrontabFields): readonly string[] {
  const { minute, hour, dayOfMonth, monthOfYear, dayOfWeek } = fields
  return [minute, hour, dayOfMonth, monthOfYear, dayOfWeek].map((value: CrontabValue = '*') => String(value))
}

function readDeadlineMs(seconds: number): number {
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000
  throw new InvalidArgumentError(
    `startingDeadline is ${describeValue(seconds)}; expected a positive number of seconds`,
  )
}
