import { describeValue } from '../errors.js'
import { InvalidInstantError } from './errors.js'

const INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)(?:.(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s?(Z|z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?$/

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** The latest instant that was written: most are the present one, which the tasks of a millisecond share. */
let latest = { ms: NaN, text: '' }

/**
 * The form of an instant that every Celery release reads: UTC, six fraction digits, an offset with a colon
 * (wire protocol, section 13.3).
 *
 * @throws {@link InvalidInstantError} when the date is `Invalid Date` or outside the years 1 to 9999.
 */
export function formatInstant(date: Date): string {
  const ms = date.getTime()
  if (ms === latest.ms) return latest.text
  if (Number.isNaN(ms)) throw new InvalidInstantError('an Invalid Date cannot be written')
  const text = date.toISOString()
  if (text.length !== 24 || text.startsWith('0000')) {
    throw new InvalidInstantError(`Python knows the years 1 to 9999 only, got ${text}`)
  }
  latest = { ms, text: `${text.slice(0, 23)}000+00:00` }
  return latest.text
}

/**
 * Read an ISO 8601 instant in every form that Celery releases write: `Z`, offsets with and without a colon,
 * no offset (then UTC), any number of fraction digits (what is below a millisecond is dropped).
 *
 * @throws {@link InvalidInstantError}
 */
export function parseInstant(text: string): Date {
  const match = INSTANT.exec(text)
  if (match === null) throw invalid(text)
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', offset = ''] = match
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  const date = new Date(0)
  // setUTCFullYear and not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (
    date.getUTCMonth() !== Number(month) - 1 ||
    date.getUTCDate() !== Number(day) ||
    Number(hour) > 23 ||
    Number(minute) > 59 ||
    Number(second) > 59
  ) {
    throw invalid(text)
  }
  date.setUTCHours(Number(hour), Number(minute), Number(second), ms)
  return new Date(date.getTime() - offsetMs(offset))
}

function offsetMs(offset: string): number {
  if (offset === '' || offset === 'Z' || offset === 'z') return 0
  const digits = offset.slice(1).replaceAll(':', '')
  const size =
    Number(digits.slice(0, 2)) * HOUR_MS +
    Number(digits.slice(2, 4)) * MINUTE_MS +
    Number(digits.slice(4, 6)) * 1000
  return offset.startsWith('-') ? -size : size
}

function invalid(text: string): InvalidInstantError {
  return new InvalidInstantError(
    `expected an ISO 8601 time such as "2026-11-20T20:48:30.868429+00:00", got ${describeValue(text)}`,
  )
}
