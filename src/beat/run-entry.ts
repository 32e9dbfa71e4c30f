/**
 * One entry's way from due to sent.
 *
 *     waiting ── due: claim ──> claimed ── send ──> sent ── confirm ──> waiting
 *
 * The claim writes the new last run time together with the due time as `unsentTick`; the confirmation takes
 * `unsentTick` away. Both are one script that first checks the fencing token and that the state is the one
 * this beat acted on. So a tick is claimed once, by the leader, and what a dead leader claimed and did not
 * confirm is sent by the next one. The invariant: every tick is sent, and by one beat at a time.
 *
 * Redis cannot push a message and confirm it in one step across two connections. A leader that dies, or is
 * cut off, between the two leaves a tick whose message is sent again, with the same task id (see
 * `tickTaskId`). A leader that was frozen looks at its lease's age between claim and send, and leaves the
 * tick to its successor.
 */
import type { Clock } from '../clock.js'
import type { Log } from '../log.js'
import type { ScheduleEntry } from './entry.js'
import type { EntryState, EntryStore } from './entry-store.js'
import { type Lease, LeaseLostError } from './lease.js'

export interface EntryRun {
  readonly store: EntryStore
  readonly lease: Lease
  /** Ends the loop. A run that has begun is finished first, or left to the next leader. */
  readonly signal: AbortSignal
  readonly send: (entry: ScheduleEntry, dueAt: Date) => Promise<void>
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds. */
  readonly maxIntervalMs: number
  /**
   * Ticks whose message is out while the confirmation failed, by entry name. It outlives the lease, so that a
   * beat that gets the lease back confirms them and sends nothing again.
   */
  readonly unconfirmed: Map<string, Date>
  readonly onState: (state: EntryState) => void
}

/** A state that is stored under `revision`. */
interface Saved {
  readonly state: EntryState
  readonly revision: string
}

/** Sends `entry` whenever it is due, until `signal` aborts. Never rejects. */
export async function runEntry(entry: ScheduleEntry, run: EntryRun): Promise<void> {
  const { store, lease, signal, send, clock, log, maxIntervalMs, unconfirmed, onState } = run
  const { name, task, schedule } = entry
  let saved: Saved | undefined
  let failures = 0

  /** @returns undefined when the stored state is not the expected one any more. */
  const save = async (revision: string | undefined, state: EntryState): Promise<Saved | undefined> => {
    const outcome = await store.save(lease.token, name, revision, state)
    if (outcome.kind === 'changed') return undefined
    if (outcome.kind === 'saved') return remember({ state, revision: outcome.revision })
    lease.lose()
    throw new LeaseLostError(`another beat leads; entry ${JSON.stringify(name)} is left to it`)
  }

  const remember = (now: Saved): Saved => {
    onState(now.state)
    return now
  }

  const open = async (): Promise<Saved | undefined> => {
    const found = await store.read(name)
    const now = new Date(clock.now())
    if (found?.state === undefined) {
      if (found)
        log.warn({ entry: name, stored: found.revision }, 'the entry starts anew: its state is unreadable')
      return save(found?.revision, { lastRunAt: now, totalRunCount: 0 })
    }
    const { state, revision } = found
    if (state.lastRunAt > now) {
      log.warn(
        { entry: name, lastRunAt: state.lastRunAt },
        'the entry waits: its last run lies in the future',
      )
    }
    return remember({ state, revision })
  }

  const claimWhenDue = async ({ state, revision }: Saved): Promise<Saved | undefined> => {
    const { lastRunAt, totalRunCount } = state
    for (;;) {
      const now = new Date(clock.now())
      const { isDue, nextCheckMs } = schedule.isDue(lastRunAt, now)
      if (isDue) {
        return save(revision, {
          lastRunAt: schedule.settledAt(lastRunAt, now),
          totalRunCount: totalRunCount + 1,
          unsentTick: schedule.nextDue(lastRunAt),
        })
      }
      await clock.sleep(Math.min(nextCheckMs, maxIntervalMs), signal)
      if (signal.aborted) return undefined
    }
  }

  const sendClaimed = async ({ state, revision }: Saved, dueAt: Date): Promise<Saved | undefined> => {
    const { lastRunAt, totalRunCount } = state
    if (unconfirmed.get(name)?.getTime() !== dueAt.getTime()) {
      if (!lease.isHeld()) {
        throw new LeaseLostError(`the lease may be over; entry ${JSON.stringify(name)} is not sent`)
      }
      log.info({ entry: name, task, dueAt }, `Scheduler: Sending due task ${name} (${task})`)
      await send({ ...entry, lastRunAt, totalRunCount }, dueAt)
      unconfirmed.set(name, dueAt)
    }
    const confirmed = await save(revision, { lastRunAt, totalRunCount })
    unconfirmed.delete(name)
    return confirmed
  }

  while (!signal.aborted || saved?.state.unsentTick !== undefined) {
    try {
      saved ??= await open()
      const dueAt = saved?.state.unsentTick
      if (saved !== undefined) saved = await (dueAt ? sendClaimed(saved, dueAt) : claimWhenDue(saved))
      failures = 0
    } catch (error) {
      saved = undefined
      failures += 1
      const retryInMs = retryMs(failures)
      const fields = { entry: name, task, retryInMs }
      if (error instanceof LeaseLostError) log.warn(fields, error.message)
      else log.error({ ...fields, err: error }, 'beat could not run the entry; trying again')
      await clock.sleep(retryInMs, signal)
    }
  }
}

const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000

function retryMs(failures: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
}
