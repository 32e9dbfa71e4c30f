import { createRevoked, type Revoked } from './revoked.js'
import { openStateFile } from './state-file.js'
import { revokedResult } from '../request.js'
import { persist } from '../persist.js'
import type { Clock } from '../../clock.js'
import type { Log } from '../../log.js'
import type { ResultBackend } from '../../results/result-backend.js'
import type { Revocations, RevokedEntry, RevokedItem } from '../../broker/revocations.js'
import type { Settings } from '../../app/settings.js'

/** What is revoked, as one worker knows it, and where it knows it from. */
export interface Revocation extends Pick<Revoked, 'covers' | 'entries'> {
  /**
   * By remote control. It is remembered and kept for others, and of tasks that are named REVOKED is stored at once, as
   * Celery does since 5.6: whoever waits learns of it before the task's turn would have come.
   *
   * @param options - `ended`: tasks that were terminated here, whose end is stored already, and says more.
   */
  revoke(this: void, items: readonly RevokedItem[], options?: { readonly ended: readonly string[] }): void
  /** From another worker. */
  takeOver(this: void, entries: readonly RevokedEntry[]): void
  /** Learn what was revoked while this worker was not there. Resolves when that is done, or given up. */
  start(this: void): Promise<void>
  /** The same when it was not connected. */
  refresh(this: void): Promise<void>
  close(this: void): Promise<void>
}

export interface RevocationParts {
  readonly settings: Settings
  readonly kept: Revocations
  readonly backend: ResultBackend
  readonly clock: Clock
  readonly log: Log
}

/** States of tasks whose turn is to come. */
const WAITING = new Set(['PENDING', 'RECEIVED', 'RETRY', 'REJECTED'])

export function createRevocation(parts: RevocationParts): Revocation {
  const { settings, kept, backend, clock, log } = parts
  const closing = new AbortController()
  const persistence = { clock, log, signal: closing.signal }
  const limits = { most: settings.workerRevokesMax, expiresMs: settings.workerRevokeExpires * 1000 }
  const revoked = createRevoked({ ...limits, now: () => clock.now() })
  const stateFile =
    settings.workerStateDb === undefined
      ? undefined
      : openStateFile(settings.workerStateDb, () => ({ revoked: revoked.entries() }), log)

  const takeOver = (entries: readonly RevokedEntry[]): void => {
    if (revoked.learn(entries).length > 0) stateFile?.changed()
  }

  const refresh = async (): Promise<void> => {
    const found = await persist('load what is revoked', () => kept.list(limits), persistence)
    takeOver(found?.value ?? [])
  }

  /** What has ended keeps its result, and what runs, its state: that is for whoever runs it to say. */
  const storeRevoked = async (ids: readonly string[]): Promise<void> => {
    const metas = await backend.fetchMany(ids)
    const waiting = ids.filter((_, i) => WAITING.has(metas[i]?.status ?? 'PENDING'))
    await backend.store(waiting.map((id) => revokedResult(id, settings, new Date(clock.now()))))
  }

  return {
    covers: revoked.covers,
    entries: revoked.entries,

    revoke(items, { ended = [] } = { ended: [] }) {
      const at = clock.now()
      const entries = items.map((item) => ({ item, at }))
      revoked.add(entries)
      stateFile?.changed()
      void persist('keep a revocation', () => kept.keep(entries, limits), persistence)
      const ids = items.flatMap(({ id }) => (id === undefined || ended.includes(id) ? [] : id))
      if (ids.length === 0 || settings.taskIgnoreResult || !backend.keepsResults) return
      void persist('store that tasks are revoked', () => storeRevoked(ids), persistence)
    },

    takeOver,

    async start() {
      if (stateFile !== undefined) takeOver((await stateFile.read()).revoked)
      await refresh()
    },
    refresh,

    async close() {
      closing.abort()
      await stateFile?.close()
    },
  }
}
