import type { Clock } from '../clock.js'
import { LovageError } from '../errors.js'
import type { Log } from '../log.js'
import type { EntryStore } from './entry-store.js'

export interface LeaseOptions {
  readonly store: EntryStore
  readonly clock: Clock
  readonly log: Log
  /** Milliseconds for which the lease lasts without being renewed. */
  readonly leaseMs: number
  /** Ends the waiting for the lease. */
  readonly signal: AbortSignal
}

/** The right to send, for as long as this beat is alive and nobody else was given it. */
export interface Lease {
  readonly token: string
  /** Aborts when the lease is known to be another's. */
  readonly lost: AbortSignal
  /** False also for one that has slept past its time and may have been replaced without knowing yet. */
  isHeld(): boolean
  /** The store has refused a save under this lease. */
  lose(): void
  /** Stop renewing and let another beat take over at once. */
  end(): Promise<void>
}

/** Thrown inside beat when it has to stop what it does because another beat may be doing it. */
export class LeaseLostError extends LovageError {
  readonly code = 'BEAT_LEASE_LOST'
}

/**
 * Waits until no other beat leads, and takes the lease.
 *
 * The lease is renewed every third of its time, and who waits for it asks every quarter: after the leader's
 * death the next one leads within five quarters of `leaseMs`.
 *
 * @returns undefined when `signal` ended the waiting.
 */
export async function takeLease(options: LeaseOptions): Promise<Lease | undefined> {
  const { store, clock, log, leaseMs, signal } = options
  while (!signal.aborted) {
    const askedAt = clock.now()
    try {
      const token = await store.acquire(leaseMs)
      if (token !== undefined) return keepLease(token, askedAt, options)
    } catch (error) {
      log.warn({ err: error }, 'beat could not ask for its lease; trying again')
    }
    await clock.sleep(leaseMs / 4, signal)
  }
  return undefined
}

function keepLease(token: string, takenAt: number, options: LeaseOptions): Lease {
  const { store, clock, log, leaseMs } = options
  const lost = new AbortController()
  const ended = new AbortController()
  const over = AbortSignal.any([lost.signal, ended.signal])
  // Counted from before the request: the store's time runs out later than this.
  let renewedAt = takenAt

  const renewing = (async () => {
    for (;;) {
      await clock.sleep(leaseMs / 3, over)
      if (over.aborted) return
      const askedAt = clock.now()
      try {
        if (await store.renew(token, leaseMs)) renewedAt = askedAt
        else lost.abort()
      } catch (error) {
        log.warn({ err: error }, 'beat could not renew its lease; trying again')
      }
    }
  })()

  return {
    token,
    lost: lost.signal,
    isHeld() {
      const age = clock.now() - renewedAt
      // A negative age: the clock was put back, and says nothing until the next renewal.
      return !lost.signal.aborted && age >= 0 && age < leaseMs
    },
    lose: () => {
      lost.abort()
    },
    async end() {
      ended.abort()
      await renewing
      try {
        await store.release(token)
      } catch (error) {
        log.warn({ err: error }, 'beat could not give its lease back; it runs out by itself')
      }
    },
  }
}
