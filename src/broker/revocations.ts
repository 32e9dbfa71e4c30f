/** One thing that was revoked: a task by its id, or all that carry a value as a stamp. */
export type RevokedItem =
  | { readonly id: string; readonly stamp?: undefined }
  | { readonly stamp: readonly [header: string, value: string]; readonly id?: undefined }

export interface RevokedEntry {
  readonly item: RevokedItem
  /** Unix milliseconds. */
  readonly at: number
}

/** How many revocations are remembered, and for how long. */
export interface RevocationLimits {
  readonly most: number
  readonly expiresMs: number
}

/**
 * Revocations, kept for workers that were not there when they were told. Not of Celery, whose workers tell each other as
 * long as one of them lives.
 */
export interface Revocations {
  keep(entries: readonly RevokedEntry[], limits: RevocationLimits): Promise<void>
  /** Those that are not too old. */
  list(limits: RevocationLimits): Promise<RevokedEntry[]>
  /** Whether a task was revoked by its id, and that is not too old. */
  has(id: string, limits: RevocationLimits): Promise<boolean>
}

export function createMemoryRevocations(): Revocations {
  let kept: readonly RevokedEntry[] = []
  const good = ({ most, expiresMs }: RevocationLimits): readonly RevokedEntry[] =>
    kept.filter(({ at }) => at > Date.now() - expiresMs).slice(-most)
  return {
    keep(entries, limits) {
      kept = [...kept, ...entries]
      kept = good(limits)
      return Promise.resolve()
    },
    list: (limits) => Promise.resolve([...good(limits)]),
    has: (id, limits) => Promise.resolve(good(limits).some(({ item }) => item.id === id)),
  }
}
