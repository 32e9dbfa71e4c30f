import { describeValue, InvalidArgumentError } from '../errors.js'

/**
 * A time zone as two functions between instants and its wall clock.
 *
 * Wall clock times are a Date, too, whose UTC fields are what the clock on the wall shows.
 */
export interface TimeZone {
  readonly name: string
  toWall(instant: Date): Date
  /**
   * The instant at which the wall clock shows `wall`: the first, where it does so twice. A time that the
   * clock skips is taken as if it had not been put forward yet, so 02:30 becomes 03:30.
   */
  toInstant(wall: Date): Date
}

const DAY_MS = 86_400_000

export const utc: TimeZone = { name: 'UTC', toWall: (instant) => instant, toInstant: (wall) => wall }

/** @throws InvalidArgumentError when `name` is no IANA time zone that this Node.js knows. */
export function timeZone(name: string): TimeZone {
  if (name === 'UTC') return utc
  const format = wallClockFormat(name)

  const toWall = (instant: Date): Date => {
    const fields: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(instant)) fields[type] = Number(value)
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = fields
    return new Date(Date.UTC(year, month - 1, day, hour, minute, second, instant.getUTCMilliseconds()))
  }
  const offsetMs = (instant: number): number => toWall(new Date(instant)).getTime() - instant

  const toInstant = (wall: Date): Date => {
    const time = wall.getTime()
    // No zone changes its offset twice in two days, so one of these holds, and around a change both are known.
    const before = time - offsetMs(time - DAY_MS)
    const after = time - offsetMs(time + DAY_MS)
    const shows = (instant: number): boolean => instant + offsetMs(instant) === time
    return new Date(!shows(before) && shows(after) ? after : before)
  }

  return { name, toWall, toInstant }
}

function wallClockFormat(name: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch (cause) {
    throw new InvalidArgumentError(
      `timezone is ${describeValue(name)}; expected an IANA name such as "Europe/Berlin" or "UTC"`,
      { cause },
    )
  }
}
