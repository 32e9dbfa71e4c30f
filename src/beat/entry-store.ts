/** What has to outlive beat about an entry. */
export interface EntryState {
  /** Before the first run, the time at which beat first saw the entry, as in Celery. */
  readonly lastRunAt: Date
  readonly totalRunCount: number
  /** A due time that was claimed, and whose message may not have been sent yet. */
  readonly unsentTick?: Date
}

export interface StoredEntry {
  /** Absent where what is stored cannot be read. */
  readonly state: EntryState | undefined
  /** Changes with the state; names what a save is to replace. */
  readonly revision: string
}

export type SaveOutcome =
  | { readonly kind: 'saved'; readonly revision: string }
  /** Somebody else has written the entry since it was read. */
  | { readonly kind: 'changed' }
  /** The lease is held by another beat, or by none. */
  | { readonly kind: 'fenced' }

/**
 * Where beats share the state of entries and the lease that lets one of them send.
 *
 * The lease is a token with a time to live; every save names the token it acts under, and the store refuses
 * those of a beat that lost the lease without noticing.
 */
export interface EntryStore {
  read(name: string): Promise<StoredEntry | undefined>
  /**
   * In one step: is `token` still the lease's, and the entry still at `revision` (undefined: not stored)?
   * Then replace it.
   */
  save(token: string, name: string, revision: string | undefined, state: EntryState): Promise<SaveOutcome>
  /** @returns the token of the lease, or undefined while another holds it. Does not wait. */
  acquire(ttlMs: number): Promise<string | undefined>
  /** @returns false when the lease was lost. */
  renew(token: string, ttlMs: number): Promise<boolean>
  /** Lets others take the lease at once. Does nothing when it was lost. */
  release(token: string): Promise<void>
}

/** The text under which a state is stored: `{"lastRunAt":"2024-05-10T10:00:00.000Z","totalRunCount":7}`. */
export function encodeEntryState(state: EntryState): string {
  const { lastRunAt, totalRunCount, unsentTick } = state
  return JSON.stringify({ lastRunAt, totalRunCount, unsentTick })
}

/** @returns undefined for a text that is no state. */
export function decodeEntryState(text: string): EntryState | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof fields !== 'object' || fields === null) return undefined
  const { lastRunAt, totalRunCount, unsentTick } = fields as Record<string, unknown>
  const last = readDate(lastRunAt)
  const unsent = readDate(unsentTick)
  if (last === undefined || typeof totalRunCount !== 'number') return undefined
  return { lastRunAt: last, totalRunCount, ...(unsent && { unsentTick: unsent }) }
}

function readDate(value: unknown): Date | undefined {
  const date = new Date(typeof value === 'string' ? value : NaN)
  return Number.isNaN(date.getTime()) ? undefined : date
}
