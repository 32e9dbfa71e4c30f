import { describe, expect, it } from 'vitest'
import { crontab, type CrontabOptions } from '../../../src/schedules/crontab.js'
import { CrontabError } from '../../../src/schedules/crontab-fields.js'
import type { Schedule } from '../../../src/schedules/schedule.js'
import { celeryVersions, pureRecords } from './vectors.js'

interface DueRecord {
  readonly spec: string
  readonly timezone: string
  readonly last_run_at: string
  readonly now: string
  readonly note: string | null
  readonly beat_cron_starting_deadline: number | null
  readonly is_due?: boolean
  readonly remaining?: number
  readonly raised?: string
}

function parseSpec(spec: string, options: CrontabOptions = {}): Schedule {
  const [minute = '', hour = '', dayOfMonth = '', monthOfYear = '', dayOfWeek = ''] = spec.split(' ')
  return crontab({ minute, hour, dayOfMonth, monthOfYear, dayOfWeek }, options)
}

/**
 * The zone in which Celery searched. The recorder's times carry fixed offsets, and Celery converts only times
 * without a zone, so it searched on the clock of that offset and not on Berlin's.
 */
function recordedZone(isoTime: string): string {
  const hours = Number(/([+-]\d\d):00$/.exec(isoTime)?.[1])
  return hours === 0 ? 'UTC' : `Etc/GMT${hours > 0 ? '-' : '+'}${Math.abs(hours)}`
}

interface Wall {
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  /** 0 is Sunday. */
  readonly weekday: number
}

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'America/Sao_Paulo',
]

/** Three days each. */
const SPANS = ['2024-03-09', '2024-03-30', '2024-04-06', '2024-10-05', '2024-10-26', '2024-11-02']

/** What the specs say, written out by hand. */
const READINGS: Readonly<Record<string, (wall: Wall) => boolean>> = {
  '*/7 * * * *': ({ minute }) => minute % 7 === 0,
  '30 2 * * *': ({ hour, minute }) => hour === 2 && minute === 30,
  '0 0 1-7 * sun': ({ hour, minute, day, weekday }) =>
    hour === 0 && minute === 0 && day <= 7 && weekday === 0,
  '5,50 1-3 * mar,oct,nov fri-sun': ({ hour, minute, month, weekday }) =>
    [5, 50].includes(minute) &&
    [1, 2, 3].includes(hour) &&
    [3, 10, 11].includes(month) &&
    [5, 6, 0].includes(weekday),
}

function wallOf(timezone: string): (instant: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: timezone,
    dateStyle: 'short',
    timeStyle: 'short',
  })
  return (instant) => format.format(instant)
}

function minutesFrom(timezone: string, span: string) {
  const wallText = wallOf(timezone)
  const seen = new Set<string>()
  return Array.from({ length: 3 * 1440 }, (_, index) => {
    const instant = Date.parse(span) + index * 60_000
    const text = wallText(instant)
    const isFirst = !seen.has(text)
    seen.add(text)
    const shown = new Date(`${text.replace(' ', 'T')}Z`)
    const wall: Wall = {
      month: shown.getUTCMonth() + 1,
      day: shown.getUTCDate(),
      hour: shown.getUTCHours(),
      minute: shown.getUTCMinutes(),
      weekday: shown.getUTCDay(),
    }
    return { span, instant, wall, isFirst }
  })
}

/** Whether the clock was put forward within the hour before `instant`. */
function isMovedByGap(timezone: string, instant: number): boolean {
  const wallText = wallOf(timezone)
  const shown = (time: number): number => Date.parse(`${wallText(time).replace(' ', 'T')}Z`)
  return shown(instant) - shown(instant - 3_600_000) > 3_600_000
}

describe.each(celeryVersions)('crontab is due as in %s', (version) => {
  const records = pureRecords<DueRecord>(version, 'pure_crontab_due')

  it('has all the recordings', () => {
    expect(records).toHaveLength(version === 'celery-5.2.6' ? 27 : 30)
  })

  it.each(records)('$spec after $last_run_at at $now ($note)', (record) => {
    const check = () =>
      parseSpec(record.spec, {
        timezone: recordedZone(record.last_run_at),
        startingDeadline: record.beat_cron_starting_deadline ?? undefined,
      }).isDue(new Date(record.last_run_at), new Date(record.now))

    if (record.raised !== undefined) expect(check).toThrow(CrontabError)
    else expect(check()).toEqual({ isDue: record.is_due, nextCheckMs: (record.remaining ?? NaN) * 1000 })
  })
})

describe('the recorded cases in Berlin, with times of that zone as a running beat has them', () => {
  const at = (spec: string, last: string, now: string) =>
    parseSpec(spec, { timezone: 'Europe/Berlin' }).isDue(new Date(last), new Date(now))

  it.each([
    ['before the gap', '2024-03-30T02:30+01:00', '2024-03-31T01:59+01:00', false, 1860],
    ['after the gap', '2024-03-30T02:30+01:00', '2024-03-31T03:15+02:00', false, 900],
    ['before the first 02:30', '2024-10-26T02:30+02:00', '2024-10-27T02:15+02:00', false, 900],
    ['first 02:31, a day of 25 hours', '2024-10-26T02:30+02:00', '2024-10-27T02:31+02:00', true, 89_940],
    ['second 02:30', '2024-10-27T02:30+02:00', '2024-10-27T02:30:30+01:00', false, 86_370],
  ])('30 2 * * *: %s', (_, last, now, isDue, seconds) => {
    expect(at('30 2 * * *', last, now)).toEqual({ isDue, nextCheckMs: seconds * 1000 })
  })

  it('0 12 * * * is noon in Berlin though times are given in UTC', () => {
    expect(at('0 12 * * *', '2024-05-10T08:00Z', '2024-05-10T10:30Z')).toEqual({
      isDue: true,
      nextCheckMs: 84_600_000,
    })
  })
})

describe('crontab where the clock changes', () => {
  const after = (schedule: Schedule, start: string, count: number): string[] => {
    const runs: string[] = []
    for (let last = new Date(start); runs.length < count;) {
      last = schedule.nextDue(last)
      runs.push(last.toISOString().replace(':00.000Z', 'Z'))
    }
    return runs
  }

  it.each([
    // Put forward at 02:00 to 03:00, back at 03:00 to 02:00.
    ['Europe/Berlin', '30 2 * * *', '2024-03-30T02:00Z', ['2024-03-31T01:30Z', '2024-04-01T00:30Z']],
    ['Europe/Berlin', '0 2 * * *', '2024-03-30T02:00Z', ['2024-03-31T01:00Z', '2024-04-01T00:00Z']],
    ['Europe/Berlin', '0 3 * * *', '2024-03-30T02:30Z', ['2024-03-31T01:00Z', '2024-04-01T01:00Z']],
    ['Europe/Berlin', '30 2 * * *', '2024-10-26T02:00Z', ['2024-10-27T00:30Z', '2024-10-28T01:30Z']],
    [
      'Europe/Berlin',
      '30 * * * *',
      '2024-10-26T23:00Z',
      ['2024-10-26T23:30Z', '2024-10-27T00:30Z', '2024-10-27T02:30Z'],
    ],
    // Started within the second 02 o'clock, whose 02:30 is not a first one.
    ['Europe/Berlin', '30 2 * * *', '2024-10-27T01:10Z', ['2024-10-28T01:30Z']],
    // Put forward at 02:00 to 03:00, back at 02:00 to 01:00.
    ['America/New_York', '30 2 * * *', '2024-03-09T12:00Z', ['2024-03-10T07:30Z', '2024-03-11T06:30Z']],
    ['America/New_York', '30 1 * * *', '2024-11-02T12:00Z', ['2024-11-03T05:30Z', '2024-11-04T06:30Z']],
    ['America/New_York', '0 0 * * *', '2024-11-02T12:00Z', ['2024-11-03T04:00Z', '2024-11-04T05:00Z']],
    // By half an hour: put forward at 02:00 to 02:30, back at 02:00 to 01:30.
    ['Australia/Lord_Howe', '15 2 * * *', '2024-10-05T12:00Z', ['2024-10-05T15:45Z', '2024-10-06T15:15Z']],
    ['Australia/Lord_Howe', '45 1 * * *', '2024-04-06T12:00Z', ['2024-04-06T14:45Z', '2024-04-07T15:15Z']],
    [
      'Australia/Lord_Howe',
      '*/15 1 * * *',
      '2024-04-06T12:00Z',
      [
        '2024-04-06T14:00Z',
        '2024-04-06T14:15Z',
        '2024-04-06T14:30Z',
        '2024-04-06T14:45Z',
        '2024-04-07T14:30Z',
      ],
    ],
    // No change of the clock, but not whole hours either.
    ['Asia/Kathmandu', '0 6 * * *', '2024-03-30T12:00Z', ['2024-03-31T00:15Z']],
    // Midnight itself is skipped here.
    ['Africa/Cairo', '0 0 * * *', '2024-04-25T12:00Z', ['2024-04-25T22:00Z', '2024-04-26T21:00Z']],
  ])('%s, %s after %s', (timezone, spec, start, expected) => {
    expect(after(parseSpec(spec, { timezone }), start, expected.length)).toEqual(expected)
  })
})

describe.each(ZONES)('crontab in %s, against every minute around the changes of many clocks', (timezone) => {
  const minutes = SPANS.flatMap((start) => minutesFrom(timezone, start))

  it.each(Object.entries(READINGS))('%s runs at each matching minute of the wall, once', (spec, isMatch) => {
    const schedule = parseSpec(spec, { timezone })
    for (const start of SPANS) {
      const span = minutes.filter(({ span }) => span === start)
      const end = span.at(-1)?.instant ?? NaN
      const expected = span
        .filter(({ isFirst, wall }) => isFirst && isMatch(wall))
        .map(({ instant }) => instant)

      const runs: number[] = []
      for (let due = schedule.nextDue(new Date(Date.parse(start) - 1)); due.getTime() <= end;) {
        runs.push(due.getTime())
        due = schedule.nextDue(due)
      }

      const moved = runs.filter((run) => !expected.includes(run))
      expect(runs.filter((run) => expected.includes(run))).toEqual(expected)
      expect(runs).toEqual([...runs].sort((a, b) => a - b))
      for (const run of moved) expect(isMovedByGap(timezone, run)).toBe(true)
    }
  })
})

describe('crontab', () => {
  it('raises at once for a day that never comes', () => {
    expect(() => crontab({ dayOfMonth: '30-31', monthOfYear: 'feb' })).toThrow(CrontabError)
    expect(() => crontab({ dayOfMonth: 31, monthOfYear: [4, 6, 9, 11] })).toThrow(/never happens/)
  })

  it('finds a leap day on a Monday', () => {
    const schedule = crontab({ minute: 0, hour: 0, dayOfMonth: 29, monthOfYear: 2, dayOfWeek: 'mon' })
    expect(schedule.nextDue(new Date('2024-03-01T00:00Z'))).toEqual(new Date('2044-02-29T00:00Z'))
  })

  it('takes the settings’ zone and deadline, unless it has its own', () => {
    const defaults = { timezone: 'Europe/Berlin', cronStartingDeadline: 60 }
    const last = new Date('2024-05-10T00:00Z')
    const noon = { minute: 0, hour: 12 }
    expect(crontab(noon).withDefaults(defaults).nextDue(last)).toEqual(new Date('2024-05-10T10:00Z'))
    expect(crontab(noon, { timezone: 'UTC' }).withDefaults(defaults).nextDue(last)).toEqual(
      new Date('2024-05-10T12:00Z'),
    )
    const late = new Date('2024-05-10T10:02Z')
    expect(crontab(noon).withDefaults(defaults).isDue(last, late).isDue).toBe(false)
    expect(crontab(noon, { startingDeadline: 600 }).withDefaults(defaults).isDue(last, late).isDue).toBe(true)
  })

  it('refuses a zone that does not exist', () => {
    expect(() => crontab({}, { timezone: 'Europe/Atlantis' })).toThrow(
      /"Europe\/Atlantis"; expected an IANA name/,
    )
  })

  it('describes itself in the order of a crontab', () => {
    const schedule = crontab({ minute: '*/5', dayOfWeek: 'mon-fri' }, { timezone: 'Europe/Berlin' })
    expect(schedule.describe()).toBe('crontab */5 * * * mon-fri (Europe/Berlin)')
  })
})
