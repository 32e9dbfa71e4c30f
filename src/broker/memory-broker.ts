import { randomUUID } from 'node:crypto'
import { countLoss, forgetLosses, keepCount } from '../serialization/earlier-deliveries.js'
import { readDeliveryInfo } from '../serialization/envelope.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import { parseJson } from '../serialization/json.js'
import { PublishError } from './errors.js'
import { DEFAULT_DEAD_LETTER_LIMITS, describeDeadLetter, filterOf, fits } from './dead-letter.js'
import { claimOrder } from './rotation.js'
import { priorityStep } from './keys.js'
import { workerOf } from './worker-of.js'
import type {
  Broker,
  Claim,
  Consumer,
  ConsumerOptions,
  DeadLetter,
  DeadLetterFilter,
  DeadLetterLimits,
  DeadLetterReason,
  Delivery,
  UnreadableElement,
} from './broker.js'

const STEPS = [0, 3, 6, 9]

interface Unacked {
  readonly delivery: Delivery
  /** Undefined while it is parked. */
  consumerId: string | undefined
}

interface Parked {
  readonly delivery: Delivery
  readonly etaMs: number
}

/**
 * A broker in the memory of one process: for tests, and for a first try without Redis. What waits is lost with
 * the process. It passes the same conformance suite as the Redis one.
 */
export function createMemoryBroker(limits: DeadLetterLimits = DEFAULT_DEAD_LETTER_LIMITS): Broker {
  const lists = new Map<string, string[]>()
  const unacked = new Map<string, Unacked>()
  const parked = new Map<string, Parked[]>()
  /** Newest first. */
  let dead: DeadLetter[] = []
  const waiters = new Set<() => void>()
  let closed = false

  const listOf = (queue: string, step: number): string[] => {
    const key = `${queue}\n${step}`
    let list = lists.get(key)
    if (list === undefined) lists.set(key, (list = []))
    return list
  }
  const wakeAll = (): void => {
    for (const wake of [...waiters]) wake()
  }
  const bury = (
    queue: string,
    envelope: string,
    worker: string | undefined,
    reason: DeadLetterReason,
  ): string => {
    const { code, message } = reason
    const id = randomUUID()
    dead.unshift(describeDeadLetter({ id, queue, envelope, code, message, worker, diedAt: new Date() }))
    const earliest = limits.expiresSeconds > 0 ? Date.now() - limits.expiresSeconds * 1000 : -Infinity
    dead = dead.slice(0, limits.maxCount).filter(({ diedAt }) => diedAt.getTime() >= earliest)
    return id
  }
  /** Take those that fit off the dead letters, oldest first. */
  const exhume = (filter: DeadLetterFilter): DeadLetter[] => {
    const taken = dead.filter((letter) => fits(letter, filter))
    dead = dead.filter((letter) => !taken.includes(letter))
    return taken.toReversed()
  }
  const stepOf = (envelope: string): number => {
    try {
      return priorityStep(STEPS, readDeliveryInfo(envelope).priority)
    } catch {
      return 0
    }
  }
  /** The head of a list is its end, as in Redis. */
  const putBack = (queue: string, envelope: string, end: 'front' | 'back'): void => {
    const list = listOf(queue, stepOf(envelope))
    if (end === 'front') list.push(envelope)
    else list.unshift(envelope)
    wakeAll()
  }

  const untilDueMs = (queues: readonly string[]): number => {
    const etas = queues.flatMap((queue) => parked.get(queue)?.[0]?.etaMs ?? [])
    return Math.max(0, Math.min(...etas) - Date.now())
  }

  const consumer = ({ queues, consumerId }: ConsumerOptions): Consumer => {
    const order = claimOrder(queues, 'round_robin')
    const isMine = (tag: string): boolean => unacked.get(tag)?.consumerId === consumerId

    const putBackInFront = (
      deliveries: readonly Delivery[],
      returned: (envelope: string) => string,
    ): Promise<void> => {
      for (const { tag, queue, envelope } of deliveries.toReversed()) {
        if (isMine(tag) && unacked.delete(tag)) putBack(queue, returned(envelope), 'front')
      }
      return Promise.resolve()
    }

    const takeDue = (queue: string, room: Room): Delivery[] => {
      const waiting = parked.get(queue) ?? []
      const due = waiting.filter(
        ({ etaMs, delivery }) => etaMs <= Date.now() && room.take(delivery.envelope.length),
      )
      parked.set(
        queue,
        waiting.filter((each) => !due.includes(each)),
      )
      return due.map(({ delivery }) => {
        unacked.set(delivery.tag, { delivery, consumerId })
        return { ...delivery, isDue: true }
      })
    }

    const take = (
      queue: string,
      step: number,
      limit: number,
      room: Room,
      unreadable: UnreadableElement[],
    ): Delivery[] => {
      const list = listOf(queue, step)
      const taken: string[] = []
      while (taken.length < limit && list.length > 0 && room.take(list.at(-1)?.length ?? 0))
        taken.push(list.pop() ?? '')
      return taken.flatMap((envelope) => {
        const sent = readTag(envelope)
        if (sent === undefined) {
          const deadLetterId = bury(queue, envelope, undefined, {
            code: 'UNREADABLE',
            message: 'the element is not a JSON object',
          })
          unreadable.push({ queue, deadLetterId })
          return []
        }
        const tag = sent === '' || unacked.has(sent) ? randomUUID() : sent
        const delivery = { tag, queue, envelope, isDue: false }
        unacked.set(tag, { delivery, consumerId })
        return [delivery]
      })
    }

    return {
      start: () => Promise.resolve(),
      claim(limit, maxBytes = Infinity): Promise<Claim> {
        const rotation = order.next(limit)
        const deliveries: Delivery[] = []
        const unreadable: UnreadableElement[] = []
        const room = createRoom(limit, maxBytes)
        for (const queue of rotation.queues) deliveries.push(...takeDue(queue, room))
        const inOrder = STEPS.flatMap((step) => rotation.queues.map((queue) => ({ queue, step })))
        let { lowShare } = rotation
        for (const { queue, step } of inOrder.toReversed()) {
          const low = take(queue, step, lowShare, room, unreadable)
          deliveries.push(...low)
          lowShare -= low.length
        }
        for (const { queue, step } of inOrder) deliveries.push(...take(queue, step, limit, room, unreadable))
        order.claimed(deliveries.length)
        const untilDue = untilDueMs(queues)
        const nextDueMs = untilDue === Infinity ? undefined : untilDue
        return Promise.resolve({ deliveries, unreadable, nextDueMs })
      },
      waitForWork(timeoutMs, signal) {
        const hasWork = queues.some((queue) => STEPS.some((step) => listOf(queue, step).length > 0))
        if (hasWork || signal.aborted) return Promise.resolve()
        return new Promise((resolve) => {
          const finish = (): void => {
            clearTimeout(timer)
            waiters.delete(finish)
            signal.removeEventListener('abort', finish)
            resolve()
          }
          const timer = setTimeout(finish, Math.max(0, Math.min(timeoutMs, untilDueMs(queues), 60_000)))
          waiters.add(finish)
          signal.addEventListener('abort', finish, { once: true })
        })
      },
      ack(tags) {
        for (const tag of tags) if (isMine(tag)) unacked.delete(tag)
        return Promise.resolve()
      },
      park(delivery, eta) {
        if (!isMine(delivery.tag)) return Promise.resolve()
        unacked.set(delivery.tag, { delivery, consumerId: undefined })
        const waiting = parked.get(delivery.queue) ?? []
        waiting.push({ delivery, etaMs: eta.getTime() })
        waiting.sort((a, b) => a.etaMs - b.etaMs)
        parked.set(delivery.queue, waiting)
        return Promise.resolve()
      },
      // Whoever could lose it is gone with it.
      begin: (delivery) => Promise.resolve(isMine(delivery.tag)),
      release: (deliveries) => putBackInFront(deliveries, (envelope) => envelope),
      releaseBegun: (deliveries) => putBackInFront(deliveries, keepCount),
      requeue(delivery) {
        if (isMine(delivery.tag) && unacked.delete(delivery.tag)) {
          const loss = { at: new Date(), cause: 'REQUEUED', worker: workerOf(consumerId) } as const
          putBack(delivery.queue, countLoss(delivery.envelope, loss), 'back')
        }
        return Promise.resolve()
      },
      bury(delivery, reason) {
        if (isMine(delivery.tag) && unacked.delete(delivery.tag)) {
          bury(delivery.queue, delivery.envelope, workerOf(consumerId), reason)
        }
        return Promise.resolve()
      },
      stop() {
        // In one process nobody else notices a lease that runs out, so what is still held goes back at once.
        const mine = [...unacked.values()].filter((each) => each.consumerId === consumerId)
        return putBackInFront(
          mine.map(({ delivery }) => delivery),
          keepCount,
        )
      },
    }
  }

  return {
    url: 'memory://',
    publish({ queue, priority, envelope }, { signal } = {}) {
      if (closed) return Promise.reject(closedError())
      if (signal?.aborted) return Promise.reject(signal.reason as Error)
      listOf(queue, priorityStep(STEPS, priority)).unshift(envelope)
      wakeAll()
      return Promise.resolve()
    },
    consumer,
    queueLength: (queue) => Promise.resolve(STEPS.reduce((sum, step) => sum + listOf(queue, step).length, 0)),
    purge(queue) {
      const count = STEPS.reduce((sum, step) => sum + listOf(queue, step).splice(0).length, 0)
      return Promise.resolve(count)
    },
    deadLetters: {
      count: () => Promise.resolve(dead.length),
      list: ({ limit = 100, offset = 0, ...filter } = {}) =>
        Promise.resolve(dead.filter((letter) => fits(letter, filter)).slice(offset, offset + limit)),
      get: (id) => Promise.resolve(dead.find((letter) => letter.id === id)),
      async retry(selection) {
        const letters = exhume(filterOf(selection))
        for (const { queue, envelope } of letters) putBack(queue, anew(envelope), 'back')
        return Promise.resolve(letters.length)
      },
      async purge(selection) {
        return Promise.resolve(exhume(filterOf(selection)).length)
      },
    },
    ping: () => Promise.resolve(0),
    close() {
      closed = true
      wakeAll()
      return Promise.resolve()
    },
  }
}

/** What one claim may still take. */
interface Room {
  /** False where there is none for another message. */
  take(bytes: number): boolean
}

function createRoom(limit: number, maxBytes: number): Room {
  let [messagesLeft, bytesLeft] = [limit, maxBytes]
  return {
    take(bytes) {
      if (messagesLeft <= 0 || bytesLeft <= 0) return false
      messagesLeft--
      bytesLeft -= bytes
      return true
    },
  }
}

/** As if it had never been lost; what is no message stays as it is. */
function anew(envelope: string): string {
  try {
    return forgetLosses(envelope)
  } catch {
    return envelope
  }
}

function closedError(): PublishError {
  return new PublishError('BROKER_CLOSED', 'the broker was closed', { mayHaveBeenSent: false })
}

/** The sender's delivery tag, empty where there is none; undefined for what is no JSON object. */
function readTag(envelope: string): string | undefined {
  try {
    return readDeliveryInfo(envelope).deliveryTag
  } catch {
    return isJsonObject(envelope) ? '' : undefined
  }
}

function isJsonObject(text: string): boolean {
  try {
    return isPlainRecord(parseJson(text))
  } catch {
    return false
  }
}
