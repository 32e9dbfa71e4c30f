import { setMaxListeners } from 'node:events'
import { type Clock, systemClock } from '../clock.js'
import { InvalidArgumentError } from '../errors.js'
import { type Log, silentLog } from '../log.js'
import type { ScheduleDefaults } from '../schedules/schedule.js'
import { BeatScheduleError, type EntryDefinition, type ScheduleEntry } from './entry.js'
import type { EntryStore } from './entry-store.js'
import { runEntry } from './run-entry.js'
import { takeLease } from './lease.js'

export interface SchedulerOptions {
  readonly entries: readonly EntryDefinition[]
  /** Shared by all beats of which one is to send. */
  readonly store: EntryStore
  /**
   * Publishes the entry's task for the run that was due at `dueAt`. Give it the id `tickTaskId(entry.name,
   * dueAt)`: after a crash the same tick may be sent a second time. A rejection is tried again.
   */
  readonly send: (entry: ScheduleEntry, dueAt: Date) => Promise<void>
  /** Zone and deadline for entries without their own. */
  readonly defaults?: ScheduleDefaults
  readonly clock?: Clock
  readonly log?: Log
  /**
   * Milliseconds after which the clock is read again, however far the next run: what it takes to notice that
   * the clock was put forward. Celery's `beat_max_loop_interval`. @default 5000
   */
  readonly maxIntervalMs?: number
  /**
   * Milliseconds for which a leader that says nothing stays the leader. The next one leads within a quarter
   * more: within 15 s by default. @default 12000
   */
  readonly leaseMs?: number
}

export interface Scheduler {
  /** Whether this beat is the one that sends. */
  isLeading(): boolean
  /** The entries and what this beat knows of their runs; the store knows those of other beats. */
  entries(): readonly ScheduleEntry[]
  /** Resolves when runs that have begun are sent and the lease is given back. */
  stop(): Promise<void>
}

/**
 * Sends each entry's task when it is due, in one of any number of beats on the same store.
 *
 * A beat waits for the lease; the one that has it leads, and runs one loop per entry, so that an entry that
 * cannot be sent holds no other up. See `run-entry.ts` for what keeps a tick from being sent twice or not at
 * all. Times are those of the schedule, so nothing drifts; runs that were missed, by a stop or a clock put
 * forward, are sent as one; a clock put back sends nothing until it is where it was.
 *
 * @throws {@link BeatScheduleError} when two entries have the same name.
 * @see wire protocol, section 17
 */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const { store, send, defaults = {}, clock = systemClock, log = silentLog } = options
  const { maxIntervalMs = 5_000, leaseMs = 12_000 } = options
  requirePositive('maxIntervalMs', maxIntervalMs)
  requirePositive('leaseMs', leaseMs)
  const entries = new Map<string, ScheduleEntry>()
  for (const definition of options.entries) {
    const { name } = definition
    if (entries.has(name)) throw new BeatScheduleError(`two entries are named ${JSON.stringify(name)}`)
    entries.set(name, {
      ...definition,
      schedule: definition.schedule.withDefaults(defaults),
      totalRunCount: 0,
    })
  }

  const stopping = new AbortController()
  const unconfirmed = new Map<string, Date>()
  let isLeading = false

  const run = async (): Promise<void> => {
    for (;;) {
      const lease = await takeLease({ store, clock, log, leaseMs, signal: stopping.signal })
      if (lease === undefined) return
      log.info({ entries: entries.size }, 'this beat leads')
      isLeading = true
      const signal = AbortSignal.any([stopping.signal, lease.lost])
      // Every entry waits on it; Node.js takes more than ten for a leak.
      setMaxListeners(0, signal)
      const loops = [...entries.values()].map((entry) =>
        runEntry(entry, {
          store,
          lease,
          signal,
          send,
          clock,
          log,
          maxIntervalMs,
          unconfirmed,
          onState: ({ lastRunAt, totalRunCount }) =>
            entries.set(entry.name, { ...entry, lastRunAt, totalRunCount }),
        }),
      )
      // Also without entries, a leader stays until it is stopped or replaced.
      await Promise.all([...loops, aborted(signal)])
      isLeading = false
      if (lease.lost.aborted) log.warn({}, 'another beat leads')
      await lease.end()
    }
  }
  const running = run()

  return {
    isLeading: () => isLeading,
    entries: () => [...entries.values()],
    stop() {
      stopping.abort()
      return running
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve()
      },
      { once: true },
    )
  })
}

function requirePositive(name: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return
  throw new InvalidArgumentError(`${name} is ${value}; expected a positive number of milliseconds`)
}
