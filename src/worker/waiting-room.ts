import { persist, type Persistence } from './persist.js'
import type { Consumer, Delivery } from '../broker/broker.js'
import type { Request } from './request.js'
import type { Slots } from './pool/slots.js'

/** For so long at most no other suspect begins: one that runs for an hour must not hold up a hundred. */
const SUSPECT_ALONE_MS = 1000

/** How a task has to begin (decision 5). */
export interface Beginning {
  /** Its beginning is noted in Redis first, so that a loss can be told from one of a message that only waited. */
  readonly isNoted: boolean
  /** It was running when its worker died: it may have killed it, or have been beside the one that did. */
  readonly isSuspect: boolean
}

/** Requests that wait for a slot, and how they leave: by beginning, or handed back. */
export interface WaitingRoom {
  readonly size: number
  enter(this: void, request: Request, beginning: Beginning): void
  /** Begin one that has a slot, or have it wait here for what its beginning needs. Settles when the slot is free. */
  begin(this: void, request: Request, beginning: Beginning): void | Promise<void>
  /** Those that have not begun. */
  waiting(): readonly Request[]
  /** Take the last ones out, at most `count`: they do not begin here. */
  takeLast(count: number): Delivery[]
}

export interface WaitingRoomParts {
  readonly slots: Slots
  readonly consumer: Consumer
  readonly persistence: Persistence
  /** Runs in a slot when it is the request's turn, which has left the room by then. */
  readonly start: (request: Request) => void | Promise<void>
  /** The message turned out to be another's. */
  readonly onLost: (delivery: Delivery) => void
  /** Resolves when everything so far is recorded in Redis. */
  readonly recorded: (request: Request) => Promise<void>
}

export function createWaitingRoom(parts: WaitingRoomParts): WaitingRoom {
  const { slots, consumer, persistence, start } = parts
  const waiting = new Map<Delivery, Request>()
  /** The latest task whose beginning is being noted. */
  let noting: Promise<unknown> = Promise.resolve()
  /** Settles when the next one may begin. */
  let lastSuspect: Promise<unknown> = Promise.resolve()

  /** Handed back meanwhile where it does not; it may even have come again under the same tag, as another delivery. */
  const isWaiting = (delivery: Delivery): boolean => waiting.has(delivery)

  /**
   * Suspects begin one after the other, so that the culprit does not take the others along to the limit.
   */
  const submitAlone = (request: Request, work: () => void | Promise<void>): void => {
    const alone = (): Promise<void> =>
      new Promise((resolve) => {
        slots.submit(async () => {
          const timer = setTimeout(resolve, SUSPECT_ALONE_MS)
          await work()
          // Only what is acknowledged is out of reach of the next one.
          void parts.recorded(request).then(() => {
            clearTimeout(timer)
            resolve()
          })
        })
      })
    lastSuspect = lastSuspect.then(() => (isWaiting(request.delivery) ? alone() : undefined))
  }

  /**
   * Note that it begins, then run it. One after the other: of those that are lost when a task kills this process at
   * once, few have begun beside it.
   */
  const startNoted = (request: Request): Promise<void> => {
    const isMine = noting.then(() => note(request.delivery))
    noting = isMine
    return isMine.then((mine) => (mine ? start(request) : undefined))
  }

  /** @returns false where the message is no longer to be run here. */
  const note = async (delivery: Delivery): Promise<boolean> => {
    const noted = await persist(
      'note that a task begins',
      () => consumer.begin(delivery),
      persistence,
      () => isWaiting(delivery),
    )
    if (noted === undefined || !isWaiting(delivery)) return false
    waiting.delete(delivery)
    if (!noted.value) parts.onLost(delivery)
    return noted.value
  }

  const beginWaiting = (request: Request, { isNoted }: Beginning): void | Promise<void> => {
    const { delivery } = request
    if (!isWaiting(delivery)) return
    if (isNoted) return startNoted(request)
    waiting.delete(delivery)
    return start(request)
  }

  return {
    get size() {
      return waiting.size
    },
    enter(request, beginning) {
      waiting.set(request.delivery, request)
      const work = (): void | Promise<void> => beginWaiting(request, beginning)
      if (beginning.isSuspect) submitAlone(request, work)
      else slots.submit(work)
    },
    begin(request, beginning) {
      waiting.set(request.delivery, request)
      if (!beginning.isSuspect) return beginWaiting(request, beginning)
      submitAlone(request, () => beginWaiting(request, beginning))
    },
    waiting: () => [...waiting.values()],
    takeLast(count) {
      const deliveries = count > 0 ? [...waiting.keys()].slice(-count) : []
      for (const delivery of deliveries) waiting.delete(delivery)
      return deliveries
    },
  }
}
