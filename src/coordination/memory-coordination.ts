import type { Clock } from '../clock.js'
import type { Coordination } from './coordination.js'

/** Within one process; nobody else has to be agreed with. */
export function createMemoryCoordination({ now }: Pick<Clock, 'now'>): Coordination {
  const uniques = new Map<string, { readonly taskId: string; readonly endsAt: number }>()
  const nextTurns = new Map<string, number>()
  /** Holders by key, with the end of their time. */
  const slots = new Map<string, Map<string, number>>()

  const holderOf = (key: string): string | undefined => {
    const found = uniques.get(key)
    if (found === undefined || found.endsAt > now()) return found?.taskId
    uniques.delete(key)
    return undefined
  }
  const livingHolders = (key: string): Map<string, number> => {
    const holders = slots.get(key) ?? new Map<string, number>()
    slots.set(key, holders)
    for (const [holder, endsAt] of holders) if (endsAt <= now()) holders.delete(holder)
    return holders
  }

  return {
    takeUnique(key, taskId, forMs, from) {
      const found = holderOf(key)
      const holder = found === from ? undefined : found
      if (holder === undefined) uniques.set(key, { taskId, endsAt: now() + forMs })
      return Promise.resolve(holder ?? taskId)
    },
    keepUnique(key, taskId, forMs) {
      const isMine = holderOf(key) === taskId
      if (isMine) uniques.set(key, { taskId, endsAt: now() + forMs })
      return Promise.resolve(isMine)
    },
    releaseUnique(key, taskId) {
      if (holderOf(key) === taskId) uniques.delete(key)
      return Promise.resolve()
    },
    reserveTurn(key, intervalMs, mostAheadMs) {
      const turn = Math.max(nextTurns.get(key) ?? 0, now())
      const waitMs = turn - now()
      const isReserved = waitMs <= mostAheadMs
      if (isReserved) nextTurns.set(key, turn + intervalMs)
      return Promise.resolve({ isReserved, waitMs })
    },
    takeSlot(key, holder, limit, forMs) {
      const holders = livingHolders(key)
      if (!holders.has(holder) && holders.size >= limit) return Promise.resolve(undefined)
      holders.set(holder, now() + forMs)
      return Promise.resolve(Math.max(0, limit - holders.size))
    },
    keepSlots(kept, forMs) {
      for (const { key, holder } of kept) livingHolders(key).set(holder, now() + forMs)
      return Promise.resolve()
    },
    releaseSlot({ key, holder }) {
      const holders = slots.get(key)
      holders?.delete(holder)
      if (holders?.size === 0) slots.delete(key)
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  }
}
