import type { RevocationLimits, RevokedEntry } from '../../broker/revocations.js'
import type { TaskMessage } from '../../serialization/task-message.js'

/** What a worker knows to be revoked: so many items at most, the latest ones, for a while (wire protocol, section 13.6). */
export interface Revoked {
  readonly size: number
  /** Whether the task of a message is not to run. */
  covers(this: void, message: TaskMessage): boolean
  /** From now on. */
  add(entries: readonly RevokedEntry[]): void
  /**
   * What others know. The time of what is known here stays: workers tell each other again and again, and it would never be
   * forgotten. @returns those that were not known.
   */
  learn(entries: readonly RevokedEntry[]): readonly RevokedEntry[]
  /** Of those that are not forgotten, oldest first. */
  entries(this: void): readonly RevokedEntry[]
}

export interface RevokedOptions extends RevocationLimits {
  /** Unix milliseconds. */
  readonly now: () => number
}

export function createRevoked({ most, expiresMs, now }: RevokedOptions): Revoked {
  const ids = new Map<string, number>()
  /** By header and value. */
  const stamps = new Map<string, Map<string, number>>()
  const isGood = (at: number | undefined): boolean => at !== undefined && at > now() - expiresMs

  const add = ({ item, at }: RevokedEntry): void => {
    const [known, key] = item.id === undefined ? [valuesOf(item.stamp[0]), item.stamp[1]] : [ids, item.id]
    // The latest ones stand last, and go last.
    known.delete(key)
    known.set(key, at)
    trim(known)
  }
  const isKnown = ({ id, stamp }: RevokedEntry['item']): boolean =>
    isGood(id === undefined ? stamps.get(stamp[0])?.get(stamp[1]) : ids.get(id))
  const valuesOf = (header: string): Map<string, number> => {
    const values = stamps.get(header) ?? new Map<string, number>()
    if (stamps.size < most) stamps.set(header, values)
    return values
  }
  const trim = (known: Map<string, number>): void => {
    for (const [key, at] of known) {
      if (known.size <= most && isGood(at)) return
      known.delete(key)
    }
  }
  const hasRevokedStamp = (message: TaskMessage): boolean =>
    [...stamps].some(([header, values]) =>
      stampsOf(message, header).some((value) => isGood(values.get(value))),
    )

  return {
    get size() {
      return ids.size + [...stamps.values()].reduce((sum, { size }) => sum + size, 0)
    },
    // For each message: nothing is revoked at nearly all times.
    covers: (message) =>
      (ids.size > 0 && isGood(ids.get(message.id))) || (stamps.size > 0 && hasRevokedStamp(message)),
    add: (entries) => entries.forEach(add),
    learn(entries) {
      const fresh = entries.filter(({ item, at }) => isGood(at) && !isKnown(item))
      fresh.forEach(add)
      return fresh
    },
    entries() {
      const all: RevokedEntry[] = [...ids].map(([id, at]) => ({ item: { id }, at }))
      for (const [header, values] of stamps)
        for (const [value, at] of values) all.push({ item: { stamp: [header, value] }, at })
      return all.filter(({ at }) => isGood(at))
    },
  }
}

/** One value, or a list of them: what was called within a stamped group has those of both. */
function stampsOf({ stamps }: TaskMessage, header: string): readonly string[] {
  const stamp = stamps[header] ?? []
  return (Array.isArray(stamp) ? (stamp as unknown[]) : [stamp]).map(String)
}

export function isStamped(message: TaskMessage, header: string, value: string): boolean {
  return stampsOf(message, header).includes(value)
}
