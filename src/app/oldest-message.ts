import { sentAtOf } from '../serialization/timed-tag.js'
import type { Backlog, QueueBacklog } from '../broker/broker.js'

/** Remembers what it saw of queues, to tell how old their oldest messages are. */
export interface OldestMessages {
  /**
   * Milliseconds for which the oldest message of a queue has waited; 0 where none does. Exact where it tells when it was
   * sent; else at least as long as since it was first seen at an end of its list.
   */
  ageMs(queue: QueueBacklog, backlog: Backlog): number
}

/** Of one list. */
const MOST_REMEMBERED = 1000

export function createOldestMessages(): OldestMessages {
  /** When messages that do not tell were first seen, by tag, for each list of each queue. */
  const seen = new Map<string, Map<string, number>>()

  /** @returns when the head of a list was sent, as far as can be told. */
  const sentAt = (list: string, { head, tail }: QueueBacklog['ends'][number], now: number): number => {
    const before = seen.get(list) ?? new Map<string, number>()
    const since = before.get(head)
    // Whatever was seen before the head has left.
    const rest = [...before].filter(([, at]) => since === undefined || at >= since)
    const after = new Map(rest.slice(-MOST_REMEMBERED))
    for (const tag of [head, tail]) {
      if (sentAtOf(tag) === undefined && !after.has(tag)) after.set(tag, now)
    }
    seen.set(list, after)
    return sentAtOf(head) ?? since ?? now
  }

  return {
    ageMs({ queue, ends, nextEta }, { now }) {
      const since = ends.map((end, i) => {
        const list = `${i}\n${queue}`
        if (end.head !== '') return sentAt(list, end, now)
        seen.delete(list)
        return now
      })
      return Math.max(0, now - Math.min(now, nextEta ?? now, ...since))
    },
  }
}
