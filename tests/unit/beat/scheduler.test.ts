import { describe, expect, it, onTestFinished } from 'vitest'
import { type EntryDefinition, readBeatSchedule } from '../../../src/beat/entry.js'
import type { EntryStore } from '../../../src/beat/entry-store.js'
import { memoryEntryStore } from '../../../src/beat/memory-entry-store.js'
import { type Scheduler, type SchedulerOptions, startScheduler } from '../../../src/beat/scheduler.js'
import { crontab } from '../../../src/schedules/crontab.js'
import { every } from '../../../src/schedules/interval.js'
import type { Schedule } from '../../../src/schedules/schedule.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { recordingLog, type RecordingLog } from '../../support/recording-log.js'

const START = '2024-05-10T10:00:00.000Z'
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

function entry(name: string, schedule: Schedule): EntryDefinition {
  return { name, schedule, task: `tasks.${name}`, args: [], kwargs: {}, options: {} }
}

interface World {
  readonly clock: ManualClock
  readonly store: EntryStore
  readonly log: RecordingLog
  /** `name dueAt @ sent at`, in the order of sending. */
  readonly sent: string[]
  readonly beat: (options: Partial<SchedulerOptions>) => Scheduler
}

function createWorld(): World {
  const clock = manualClock(START)
  // As with Redis, the lease goes by another clock than the entries.
  const store = memoryEntryStore({ ...clock, now: () => clock.passedMs() })
  const log = recordingLog()
  const sent: string[] = []
  const time = (instant: Date | number): string => new Date(instant).toISOString().slice(11, 19)
  return {
    clock,
    store,
    log,
    sent,
    beat(options) {
      const scheduler = startScheduler({
        entries: [],
        store,
        clock,
        log,
        send: ({ name }, dueAt) => {
          sent.push(`${name} ${time(dueAt)} @ ${time(clock.now())}`)
          return Promise.resolve()
        },
        ...options,
      })
      onTestFinished(() => scheduler.stop())
      return scheduler
    },
  }
}

describe('a scheduler', () => {
  it('sends an interval entry one interval after its start and then on the beat', async () => {
    const { clock, sent, beat } = createWorld()
    beat({ entries: [entry('tick', every(10))] })
    await clock.advance(35 * SECOND)
    expect(sent).toEqual(['tick 10:00:10 @ 10:00:10', 'tick 10:00:20 @ 10:00:20', 'tick 10:00:30 @ 10:00:30'])
  })

  it('sends a crontab entry at its minutes', async () => {
    const { clock, sent, beat } = createWorld()
    beat({ entries: [entry('report', crontab({ minute: '*/15' }))] })
    await clock.advance(40 * MINUTE)
    expect(sent).toEqual(['report 10:15:00 @ 10:15:00', 'report 10:30:00 @ 10:30:00'])
  })

  it('gives crontabs without a zone that of the settings', async () => {
    const { clock, sent, beat } = createWorld()
    const entries = [
      entry('berlin', crontab({ minute: 0, hour: 13 })),
      entry('utc', crontab({ minute: 30, hour: 11 }, { timezone: 'UTC' })),
    ]
    beat({ entries, defaults: { timezone: 'Europe/Berlin' } })
    await clock.advance(2 * HOUR)
    expect(sent).toEqual(['berlin 11:00:00 @ 11:00:00', 'utc 11:30:00 @ 11:30:00'])
  })

  it('hands over the entry with its arguments and options', async () => {
    const { clock, beat } = createWorld()
    const entries = readBeatSchedule({
      report: {
        task: 'reports.daily',
        schedule: 60,
        args: [1],
        kwargs: { a: 2 },
        options: { queue: 'reports' },
      },
    })
    const sent: unknown[] = []
    beat({
      entries,
      send: (entry) => {
        sent.push(entry)
        return Promise.resolve()
      },
    })
    await clock.advance(MINUTE)
    expect(sent).toEqual([
      expect.objectContaining({
        task: 'reports.daily',
        args: [1],
        kwargs: { a: 2 },
        options: { queue: 'reports' },
        lastRunAt: new Date('2024-05-10T10:01:00Z'),
        totalRunCount: 1,
      }),
    ])
  })

  it('does not drift when beat is late', async () => {
    const { clock, sent, beat } = createWorld()
    const send = async ({ name }: EntryDefinition, dueAt: Date): Promise<void> => {
      await clock.sleep(3 * SECOND)
      sent.push(`${name} ${dueAt.toISOString()}`)
    }
    beat({ entries: [entry('tick', every(10))], send })
    await clock.advance(99 * SECOND)
    expect(sent.at(-1)).toBe('tick 2024-05-10T10:01:30.000Z')
    expect(sent).toHaveLength(9)
  })

  it('keeps an entry that cannot be sent apart from the others, and tries it again with growing pauses', async () => {
    const { clock, sent, log, beat } = createWorld()
    const attempts: number[] = []
    let isBroken = true
    beat({
      entries: [entry('broken', every(60)), entry('fine', every(60))],
      send: ({ name }) => {
        if (name === 'broken') attempts.push((clock.now() - Date.parse(START)) / SECOND)
        if (name === 'broken' && isBroken) return Promise.reject(new Error('no connection'))
        sent.push(name)
        return Promise.resolve()
      },
    })
    await clock.advance(65 * SECOND)
    expect(sent).toEqual(['fine'])
    expect(attempts).toEqual([60, 61, 63])
    const errors = log.lines.filter(({ level }) => level === 'error')
    expect(errors).toHaveLength(3)
    expect(errors[0]?.fields).toMatchObject({
      entry: 'broken',
      retryInMs: 1000,
      err: new Error('no connection'),
    })

    isBroken = false
    await clock.advance(2 * SECOND)
    expect(attempts).toEqual([60, 61, 63, 67])
    expect(sent).toEqual(['fine', 'broken'])
    await clock.advance(60 * SECOND)
    expect(sent.slice(2).sort()).toEqual(['broken', 'fine'])
  })

  it('sends runs that were missed while the clock was put forward as one', async () => {
    const { clock, sent, beat } = createWorld()
    beat({ entries: [entry('tick', every(10)), entry('report', crontab({ minute: '*/5' }))] })
    await clock.advance(11 * SECOND)
    clock.jump(3 * HOUR)
    await clock.advance(5 * SECOND)
    expect(sent).toHaveLength(3)
    await clock.advance(MINUTE)
    expect(sent.filter((line) => line.startsWith('report'))).toHaveLength(1)
    expect(sent.filter((line) => line.startsWith('tick'))).toHaveLength(8)
  })

  it('sends nothing again when the clock is put back', async () => {
    const { clock, sent, beat } = createWorld()
    beat({ entries: [entry('report', crontab({ minute: '*/15' }))] })
    await clock.advance(30 * MINUTE)
    clock.jump(-30 * MINUTE)
    await clock.advance(44 * MINUTE)
    expect(sent).toEqual(['report 10:15:00 @ 10:15:00', 'report 10:30:00 @ 10:30:00'])
    await clock.advance(2 * MINUTE)
    expect(sent.at(-1)).toBe('report 10:45:00 @ 10:45:00')
  })

  it('says that an entry waits for a last run in the future', async () => {
    const { clock, log, store, beat } = createWorld()
    const token = (await store.acquire(1)) ?? ''
    await store.save(token, 'tick', undefined, { lastRunAt: new Date('2034-01-01T00:00Z'), totalRunCount: 1 })
    await store.release(token)
    beat({ entries: [entry('tick', every(10))] })
    await clock.advance(0)
    expect(log.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringContaining('last run lies in the future') as string,
      }),
    )
  })

  it('goes on where the one before it was, also before the first run', async () => {
    const { clock, sent, beat } = createWorld()
    const entries = [entry('rare', every({ minutes: 10 }))]
    for (let restart = 0; restart < 5; restart += 1) {
      const scheduler = beat({ entries })
      await clock.advance(3 * MINUTE)
      await scheduler.stop()
    }
    expect(sent).toEqual(['rare 10:10:00 @ 10:10:00'])
  })

  it('catches up once after a stop, however long', async () => {
    const { clock, sent, beat } = createWorld()
    const entries = [entry('report', crontab({ minute: 0 }))]
    const first = beat({ entries })
    await clock.advance(90 * MINUTE)
    await first.stop()
    await clock.advance(5 * HOUR)
    beat({ entries })
    await clock.advance(10 * MINUTE)
    expect(sent).toEqual(['report 11:00:00 @ 11:00:00', 'report 12:00:00 @ 16:30:00'])
  })

  it('leaves a missed run out where a deadline says so', async () => {
    const { clock, sent, beat } = createWorld()
    const entries = [entry('report', crontab({ minute: 0 }))]
    await beat({ entries }).stop()
    await clock.advance(2.5 * HOUR)
    beat({ entries, defaults: { cronStartingDeadline: 300 } })
    await clock.advance(HOUR)
    expect(sent.map((line) => line.split('@ ')[1])).toEqual(['13:00:00'])
  })

  it('finishes what it sends before it stops', async () => {
    const { clock, store, beat } = createWorld()
    let finish = (): void => undefined
    const scheduler = beat({
      entries: [entry('tick', every(10))],
      send: () => new Promise<void>((resolve) => (finish = resolve)),
    })
    await clock.advance(10 * SECOND)
    const stopped = scheduler.stop()
    expect((await store.read('tick'))?.state?.unsentTick).toEqual(new Date('2024-05-10T10:00:10Z'))
    finish()
    await stopped
    expect((await store.read('tick'))?.state).toEqual({
      lastRunAt: new Date('2024-05-10T10:00:10Z'),
      totalRunCount: 1,
    })
    expect(clock.sleepers()).toBe(0)
  })

  it('tells its entries with their last runs', async () => {
    const { clock, beat } = createWorld()
    const scheduler = beat({ entries: [entry('a', every(10)), entry('b', every(60))] })
    expect(scheduler.entries().map(({ name, lastRunAt }) => [name, lastRunAt])).toEqual([
      ['a', undefined],
      ['b', undefined],
    ])
    await clock.advance(25 * SECOND)
    expect(scheduler.isLeading()).toBe(true)
    expect(scheduler.entries()).toMatchObject([
      { name: 'a', lastRunAt: new Date('2024-05-10T10:00:20Z'), totalRunCount: 2 },
      { name: 'b', lastRunAt: new Date(START), totalRunCount: 0 },
    ])
  })

  it('refuses two entries of one name', () => {
    const { beat } = createWorld()
    expect(() => beat({ entries: [entry('a', every(1)), entry('a', every(2))] })).toThrow(
      /two entries are named "a"/,
    )
  })

  it('starts an entry anew whose stored state is unreadable', async () => {
    const { clock, store, sent, log, beat } = createWorld()
    const broken: EntryStore = {
      ...store,
      read: async (name) => (await store.read(name)) ?? { state: undefined, revision: 'nonsense' },
      save: (token, name, revision, state) =>
        store.save(token, name, revision === 'nonsense' ? undefined : revision, state),
    }
    beat({ store: broken, entries: [entry('tick', every(10))] })
    await clock.advance(10 * SECOND)
    expect(sent).toHaveLength(1)
    expect(log.lines).toContainEqual(
      expect.objectContaining({ fields: { entry: 'tick', stored: 'nonsense' } }),
    )
  })
})

describe('several schedulers on one store', () => {
  it('send each tick once, and the next takes over when the leader stops', async () => {
    const { clock, sent, beat } = createWorld()
    const entries = [entry('tick', every(10))]
    const beats = [beat({ entries }), beat({ entries }), beat({ entries })]
    await clock.advance(25 * SECOND)
    expect(beats.map((one) => one.isLeading())).toEqual([true, false, false])
    await beats[0]?.stop()
    await clock.advance(10 * SECOND)
    expect(beats.filter((one) => one.isLeading())).toHaveLength(1)
    await clock.advance(25 * SECOND)
    expect(sent.map((line) => line.slice(5, 13))).toEqual([
      '10:00:10',
      '10:00:20',
      '10:00:30',
      '10:00:40',
      '10:00:50',
      '10:01:00',
    ])
  })

  it('replace a leader that went silent within 15 seconds, and nothing is sent when it wakes up', async () => {
    const { clock, store, sent, beat } = createWorld()
    const entries = [entry('tick', every({ minutes: 1 }))]
    const frozen = freezable(clock)
    const sentByFrozen: string[] = []
    const first = beat({
      entries,
      clock: frozen,
      send: ({ name }) => {
        sentByFrozen.push(name)
        return Promise.resolve()
      },
    })
    await clock.advance(0)
    const second = beat({ entries, store })
    await clock.advance(50 * SECOND)
    frozen.freeze()
    await clock.advance(15 * SECOND)
    expect(second.isLeading()).toBe(true)
    expect(sent).toHaveLength(1)

    frozen.thaw()
    await clock.advance(2 * MINUTE)
    expect(sentByFrozen).toEqual([])
    expect(sent).toHaveLength(3)
    expect(first.isLeading()).toBe(false)
  })

  it('leave a tick to the next leader when the lease ran out between claim and send', async () => {
    const { clock, store, sent, beat } = createWorld()
    const entries = [entry('tick', every({ minutes: 1 }))]
    const frozen = freezable(clock)
    // Frozen at the worst moment: the claim is written, its reply not seen yet.
    const slow: EntryStore = {
      ...store,
      async save(...args) {
        const outcome = await store.save(...args)
        if (args[3].unsentTick === undefined) return outcome
        frozen.freeze()
        await frozen.sleep(0)
        return outcome
      },
    }
    const sentByFrozen: string[] = []
    beat({
      entries,
      clock: frozen,
      store: slow,
      send: ({ name }) => {
        sentByFrozen.push(name)
        return Promise.resolve()
      },
    })
    await clock.advance(0)
    beat({ entries })
    await clock.advance(MINUTE)
    expect(sent).toEqual([])
    await clock.advance(15 * SECOND)
    expect(sent.map((line) => line.slice(0, 13))).toEqual(['tick 10:01:00'])
    frozen.thaw()
    await clock.advance(30 * SECOND)
    expect(sent).toHaveLength(1)
    expect(sentByFrozen).toEqual([])
  })

  it('send what a dead leader claimed and did not send', async () => {
    const { clock, store, sent, beat } = createWorld()
    const token = (await store.acquire(SECOND)) ?? ''
    const lastRunAt = new Date('2024-05-10T09:59:00Z')
    await store.save(token, 'tick', undefined, { lastRunAt, totalRunCount: 7, unsentTick: lastRunAt })
    const scheduler = beat({ entries: [entry('tick', every({ minutes: 10 }))] })
    await clock.advance(15 * SECOND)
    expect(sent.map((line) => line.slice(0, 13))).toEqual(['tick 09:59:00'])
    expect(scheduler.entries()[0]).toMatchObject({ lastRunAt, totalRunCount: 7 })
  })

  it('do not send a message again whose confirmation was lost on the way', async () => {
    const { clock, store, sent, beat } = createWorld()
    let faults = 0
    const faulty: EntryStore = {
      ...store,
      save(token, name, revision, state) {
        const isConfirmation = state.unsentTick === undefined && state.totalRunCount > 0
        if (isConfirmation && faults++ < 2) return Promise.reject(new Error('connection lost'))
        return store.save(token, name, revision, state)
      },
    }
    beat({ store: faulty, entries: [entry('tick', every(30))] })
    await clock.advance(59 * SECOND)
    expect(sent).toEqual(['tick 10:00:30 @ 10:00:30'])
    expect(faults).toBe(3)
    expect((await store.read('tick'))?.state).toMatchObject({ totalRunCount: 1 })
  })

  it('send once when the reply to a claim was lost', async () => {
    const { clock, store, sent, beat } = createWorld()
    let faults = 0
    const faulty: EntryStore = {
      ...store,
      async save(...args) {
        const outcome = await store.save(...args)
        if (args[3].unsentTick !== undefined && faults++ === 0) throw new Error('connection lost')
        return outcome
      },
    }
    beat({ store: faulty, entries: [entry('tick', every(30))] })
    await clock.advance(59 * SECOND)
    expect(sent).toEqual(['tick 10:00:30 @ 10:00:31'])
  })
})

/** What SIGSTOP does to a process: it sees the time again when it wakes, and no timer fires before. */
function freezable(clock: ManualClock): ManualClock & { freeze(): void; thaw(): void } {
  let thawed = Promise.resolve()
  let thaw = (): void => undefined
  return {
    ...clock,
    async sleep(ms, signal) {
      await clock.sleep(ms, signal)
      // A stop of the test's own reaches also a frozen one.
      if (!signal?.aborted) await thawed
    },
    freeze() {
      thawed = new Promise((resolve) => (thaw = resolve))
    },
    thaw: () => {
      thaw()
    },
  }
}
