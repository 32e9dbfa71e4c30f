import { describeValue, InvalidArgumentError } from '../errors.js'
import type { Schedule } from './schedule.js'
import { timeZone, utc } from './time-zone.js'

export interface IntervalParts {
  readonly seconds?: number
  readonly minutes?: number
  readonly hours?: number
  readonly days?: number
}

export interface IntervalOptions {
  /**
   * Round due times down to whole days, hours, minutes or seconds, the largest that fits into the interval:
   * every hour then means on the hour. @default false
   */
  readonly relative?: boolean
  /** IANA name; only for rounding. @default the application's `timezone`, and UTC without one */
  readonly timezone?: string | undefined
}

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/**
 * A schedule that is due whenever an interval has passed since the last run: `every(30)` seconds,
 * `every({ hours: 1 })`. Milliseconds are the finest step.
 *
 * @throws InvalidArgumentError for negative or non-numeric lengths and unknown units.
 * @see wire protocol, section 17.3
 */
export function every(interval: number | IntervalParts, options: IntervalOptions = {}): Schedule {
  const intervalMs = readIntervalMs(interval)
  const { relative = false, timezone } = options
  const zone = timezone === undefined ? utc : timeZone(timezone)
  const resolutionMs = [DAY_MS, HOUR_MS, MINUTE_MS].find((unit) => intervalMs >= unit) ?? SECOND_MS

  const rounded = (plain: number, lastRunAt: Date): number => {
    if (resolutionMs < DAY_MS) return plain - (zone.toWall(new Date(plain)).getTime() % resolutionMs)
    // Days are counted on the wall, since some of them have 23 or 25 hours.
    const wall = zone.toWall(lastRunAt).getTime() + intervalMs
    return zone.toInstant(new Date(wall - (wall % resolutionMs))).getTime()
  }

  const nextDue = (lastRunAt: Date): Date => {
    const plain = lastRunAt.getTime() + intervalMs
    const due = relative ? rounded(plain, lastRunAt) : plain
    // Where the zone's clock is put back, rounding can lead to before the last run.
    return new Date(due > lastRunAt.getTime() ? due : plain)
  }

  return {
    isDue(lastRunAt, now) {
      const remainingMs = nextDue(lastRunAt).getTime() - now.getTime()
      return remainingMs > 0
        ? { isDue: false, nextCheckMs: remainingMs }
        : { isDue: true, nextCheckMs: intervalMs }
    },
    nextDue,
    settledAt(lastRunAt, now) {
      if (relative || intervalMs === 0) return now
      const sinceMs = now.getTime() - lastRunAt.getTime()
      return new Date(now.getTime() - (sinceMs % intervalMs))
    },
    withDefaults: (defaults) => every(interval, { relative, timezone: timezone ?? defaults.timezone }),
    describe: () => `every ${intervalMs / SECOND_MS} s${relative ? `, rounded down (${zone.name})` : ''}`,
  }
}

const UNITS: Readonly<Record<keyof IntervalParts, number>> = {
  seconds: SECOND_MS,
  minutes: MINUTE_MS,
  hours: HOUR_MS,
  days: DAY_MS,
}

function readIntervalMs(interval: number | IntervalParts): number {
  const parts = typeof interval === 'number' ? { seconds: interval } : interval
  const entries = Object.entries(parts)
  if (entries.length === 0) throw refusal('interval', interval)
  const lengthMs = entries.reduce((sum, [unit, count]: [string, unknown]) => {
    if (!isUnit(unit)) throw refusal(unit, count)
    if (typeof count !== 'number' || !Number.isFinite(count) || count < 0) throw refusal(unit, count)
    return sum + count * UNITS[unit]
  }, 0)
  return Math.round(lengthMs)
}

function isUnit(name: string): name is keyof IntervalParts {
  return Object.hasOwn(UNITS, name)
}

function refusal(name: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    `interval: ${name} is ${describeValue(value)}; expected a number of seconds, or ` +
      'numbers under seconds, minutes, hours, days, none of them negative',
  )
}
