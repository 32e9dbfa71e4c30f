import type { Beginning } from '../waiting-room.js'
import type { Delivery } from '../../broker/broker.js'
import type { HeldMessages } from '../held-messages.js'
import type { LimitKey } from '../../app/rate-limit.js'
import type { Request } from '../request.js'
import type { TaskMessage } from '../../serialization/task-message.js'

/** A request that is not to begin yet, with how it has to. */
export interface LimitedRequest {
  readonly request: Request
  readonly beginning: Beginning
  /** Its place among all that were limited in this worker. */
  readonly arrival: number
}

/** The key by which a limit counts a message; undefined: the limit does not hold for it. */
export type KeyOf = (key: LimitKey | undefined, message: TaskMessage) => string | undefined

/**
 * Requests that a limit keeps from running for a moment: this worker holds their messages, but they take no slot, and no
 * room from others. There are few of them; what has to wait for long waits in Redis.
 */
export interface Aside {
  /** Whether one more may wait here. */
  hasRoom(): boolean
  /** So many more may wait here, as long as their messages are no larger than those before. */
  readonly room: number
  add(limited: LimitedRequest): void
  /** @returns false where it has left meanwhile, at a stop. */
  takeBack(limited: LimitedRequest): boolean
  waiting(this: void): readonly Request[]
  /** All of them leave, and no other comes. @returns their deliveries in the order of arrival, to be handed back. */
  close(): Delivery[]
  readonly isClosed: boolean
}

export function byArrival(one: LimitedRequest, other: LimitedRequest): number {
  return one.arrival - other.arrival
}

/** Several for each of many limits; and a stop has to hand them back within moments. */
export const MOST_ASIDE = 500

/** @param maxBytes - Length of their messages together. */
export function createAside(messages: Pick<HeldMessages, 'setAside' | 'takeBack'>, maxBytes: number): Aside {
  const waiting = new Set<LimitedRequest>()
  let bytes = 0
  let isClosed = false
  return {
    get isClosed() {
      return isClosed
    },
    hasRoom: () => !isClosed && waiting.size < MOST_ASIDE && bytes < maxBytes,
    get room() {
      if (isClosed || waiting.size === 0) return isClosed ? 0 : MOST_ASIDE
      const fitting = Math.floor(((maxBytes - bytes) * waiting.size) / bytes)
      return Math.max(0, Math.min(MOST_ASIDE - waiting.size, fitting))
    },
    add(limited) {
      const { delivery } = limited.request
      waiting.add(limited)
      bytes += delivery.envelope.length
      messages.setAside()
    },
    takeBack(limited) {
      if (!waiting.delete(limited)) return false
      bytes -= limited.request.delivery.envelope.length
      messages.takeBack()
      return true
    },
    waiting: () => [...waiting].map(({ request }) => request),
    close() {
      isClosed = true
      const deliveries = [...waiting].toSorted(byArrival).map(({ request }) => request.delivery)
      waiting.clear()
      for (const _ of deliveries) messages.takeBack()
      return deliveries
    },
  }
}
