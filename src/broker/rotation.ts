/**
 * The order in which a consumer looks at its lists (wire protocol, section 6.1).
 *
 * Priority outranks queue order; within a step the queues take turns, so that none starves. Strict priority
 * would let a busy step 0 starve step 9 for ever, so one message in ten is looked for from the other end.
 */
export interface Rotation {
  /** Queues in the order of this claim. */
  readonly queues: readonly string[]
  /** How many messages of this claim to look for from the least urgent list upwards. */
  readonly lowShare: number
}

/** How much of what is claimed is looked for from the least urgent list upwards. */
const LOW_SHARE = 0.1

export interface ClaimOrder {
  next(limit: number): Rotation
  /** To be told after each claim, with what it found. */
  claimed(count: number): void
  readonly queues: readonly string[]
  add(queue: string): void
  remove(queue: string): void
}

export type QueueOrderStrategy = 'round_robin' | 'sorted' | 'priority'

export function claimOrder(queues: readonly string[], strategy: QueueOrderStrategy): ClaimOrder {
  let order = strategy === 'sorted' ? queues.toSorted() : [...queues]
  let owed = 0
  let granted = 0
  return {
    get queues() {
      return order
    },
    add(queue) {
      if (order.includes(queue)) return
      order = strategy === 'sorted' ? [...order, queue].toSorted() : [...order, queue]
    },
    remove(queue) {
      order = order.filter((each) => each !== queue)
    },
    next(limit) {
      granted = Math.min(Math.floor(owed), limit)
      return { queues: [...order], lowShare: granted }
    },
    claimed(count) {
      owed = owed - granted + count * LOW_SHARE
      const first = strategy === 'round_robin' && count > 0 ? order.shift() : undefined
      if (first !== undefined) order.push(first)
    },
  }
}
