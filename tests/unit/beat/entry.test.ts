import { describe, expect, it } from 'vitest'
import { BeatScheduleError, readBeatSchedule } from '../../../src/beat/entry.js'
import { crontab } from '../../../src/schedules/crontab.js'

describe('readBeatSchedule', () => {
  it('reads Celery’s shape, with what may be left out', () => {
    const nightly = crontab({ minute: 0, hour: 4 })
    expect(
      readBeatSchedule({
        checks: { task: 'canaries.run_health_checks', schedule: 60 },
        nightly: {
          task: 'reports.daily',
          schedule: nightly,
          args: [1, 'a'],
          kwargs: { day: 'today' },
          options: { queue: 'reports', priority: 6, expires: 30 },
        },
      }),
    ).toEqual([
      expect.objectContaining({ name: 'checks', args: [], kwargs: {}, options: {} }),
      {
        name: 'nightly',
        schedule: nightly,
        task: 'reports.daily',
        args: [1, 'a'],
        kwargs: { day: 'today' },
        options: { queue: 'reports', priority: 6, expires: 30 },
      },
    ])
  })

  it('takes numbers as seconds, rounded where the entry is relative', () => {
    const [plain, relative] = readBeatSchedule({
      plain: { task: 't', schedule: 90 },
      relative: { task: 't', schedule: 3600, relative: true },
    })
    const last = new Date('2024-05-10T10:17:00Z')
    expect(plain?.schedule.nextDue(last)).toEqual(new Date('2024-05-10T10:18:30Z'))
    expect(relative?.schedule.nextDue(last)).toEqual(new Date('2024-05-10T11:00:00Z'))
  })

  it.each([
    [[], 'beatSchedule is array of 0; expected an object'],
    [{ a: 5 }, 'beatSchedule["a"] is number 5; expected an object'],
    [{ a: { schedule: 1 } }, 'beatSchedule["a"].task is undefined; expected the name of a task'],
    [{ a: { task: 't' } }, 'beatSchedule["a"]: schedule is undefined; expected crontab(...)'],
    [{ a: { task: 't', schedule: -1 } }, 'beatSchedule["a"]: interval: seconds is number -1'],
    [{ a: { task: 't', schedule: 1, args: 'x' } }, 'beatSchedule["a"].args is string "x"; expected an array'],
    [
      { a: { task: 't', schedule: 1, kwargs: [1] } },
      'beatSchedule["a"].kwargs is array of 1; expected an object',
    ],
    [
      { a: { task: 't', schedule: 1, options: null } },
      'beatSchedule["a"].options is null; expected an object',
    ],
    [{ a: { task: 't', schedule: 1, relative: 1 } }, 'beatSchedule["a"].relative is number 1; expected true'],
    [{ a: { task: 't', schedule: 1, kwarg: {} } }, 'beatSchedule["a"] has the key "kwarg"; expected task,'],
  ])('refuses %j', (value, message) => {
    expect(() => readBeatSchedule(value)).toThrow(BeatScheduleError)
    expect(() => readBeatSchedule(value)).toThrow(message)
  })
})
