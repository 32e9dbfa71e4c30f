import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../../src/errors.js'
import { every } from '../../../src/schedules/interval.js'
import { readSchedule } from '../../../src/schedules/read-schedule.js'
import { celeryVersions, pureRecords } from './vectors.js'

interface IntervalRecord {
  readonly run_every: number
  readonly relative: boolean
  readonly last_run_at: string
  readonly now: string
  readonly is_due: boolean
  readonly remaining: number
}

const utc = (text: string): Date => new Date(`${text}Z`)

describe.each(celeryVersions)('an interval is due as in %s', (version) => {
  const records = pureRecords<IntervalRecord>(version, 'pure_interval_due')

  it('has all the recordings', () => {
    expect(records).toHaveLength(9)
  })

  it.each(records)('every $run_every s, relative $relative, after $last_run_at at $now', (record) => {
    const schedule = every(record.run_every, { relative: record.relative })
    expect(schedule.isDue(utc(record.last_run_at), utc(record.now))).toEqual({
      isDue: record.is_due,
      nextCheckMs: record.remaining * 1000,
    })
  })
})

describe('every', () => {
  const last = utc('2024-05-10T10:00:00')

  it('adds its units up', () => {
    const schedule = every({ days: 1, hours: 2, minutes: 3, seconds: 4.5 })
    expect(schedule.nextDue(last)).toEqual(utc('2024-05-11T12:03:04.500'))
    expect(schedule.describe()).toBe('every 93784.5 s')
  })

  it('keeps its beat when runs were late or missed', () => {
    const schedule = every(30)
    expect(schedule.settledAt(last, utc('2024-05-10T10:00:30.250'))).toEqual(utc('2024-05-10T10:00:30'))
    expect(schedule.settledAt(last, utc('2024-05-10T10:05:07'))).toEqual(utc('2024-05-10T10:05:00'))
  })

  it('rounds relative days down on the clock of the zone, though days have 23 or 25 hours', () => {
    const daily = every({ days: 1 }, { relative: true, timezone: 'Europe/Berlin' })
    const runs: string[] = []
    for (let run = new Date('2024-10-25T10:00+02:00'); runs.length < 4;) {
      run = daily.nextDue(run)
      runs.push(run.toISOString())
    }
    expect(runs).toEqual([
      '2024-10-25T22:00:00.000Z',
      '2024-10-26T22:00:00.000Z',
      '2024-10-27T23:00:00.000Z',
      '2024-10-28T23:00:00.000Z',
    ])
  })

  it.each([
    [{ hours: 1 }, 'Europe/Berlin', '2024-10-26T23:30Z', 4],
    [{ minutes: 30 }, 'Australia/Lord_Howe', '2024-04-06T13:10Z', 5],
    [0.5, 'UTC', '2024-05-10T10:00:00.200Z', 3],
  ])('goes forward only: relative %j in %s', (interval, timezone, start, count) => {
    const schedule = every(interval, { relative: true, timezone })
    let run = new Date(start)
    for (let left = count; left > 0; left -= 1) {
      const next = schedule.nextDue(run)
      expect(next.getTime()).toBeGreaterThan(run.getTime())
      run = next
    }
  })

  it('takes the settings’ zone for rounding', () => {
    const daily = every({ days: 1 }, { relative: true }).withDefaults({ timezone: 'Asia/Kathmandu' })
    expect(daily.nextDue(last)).toEqual(utc('2024-05-10T18:15:00'))
  })

  it.each<unknown>([-1, NaN, Infinity, {}, { weeks: 1 }, { hours: '1' }, { days: -1 }])(
    'refuses %j',
    (interval) => {
      expect(() => every(interval as number)).toThrow(InvalidArgumentError)
    },
  )
})

describe('readSchedule', () => {
  it('takes a number as seconds', () => {
    expect(readSchedule(10).describe()).toBe('every 10 s')
    expect(readSchedule(10, { relative: true }).describe()).toBe('every 10 s, rounded down (UTC)')
  })

  it('keeps a schedule', () => {
    const schedule = every(5)
    expect(readSchedule(schedule)).toBe(schedule)
  })

  it.each(['0 4 * * *', null, undefined, {}])('refuses %j', (value) => {
    expect(() => readSchedule(value)).toThrow(/expected crontab\(...\), every\(...\) or a number of seconds/)
  })
})
