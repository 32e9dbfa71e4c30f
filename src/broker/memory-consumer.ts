import { randomUUID } from 'node:crypto'
import { countLoss, keepCount, markBegun } from '../serialization/earlier-deliveries.js'
import { readDeliveryInfo } from '../serialization/envelope.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import { parseJson } from '../serialization/json.js'
import { claimOrder } from './rotation.js'
import { STEPS, type MemoryQueues } from './memory-queues.js'
import { workerOf } from './worker-of.js'
import type { Claim, Consumer, ConsumerOptions, Delivery, UnreadableElement } from './broker.js'
import type { MemoryDeadLetters } from './memory-dead-letters.js'

/** What the consumers of one process share. */
export interface MemoryMessages {
  readonly waiting: MemoryQueues
  /** By delivery tag. */
  readonly unacked: Map<string, Unacked>
  /** By queue, in the order of their ETAs. */
  readonly parked: Map<string, readonly Parked[]>
  readonly deadLetters: MemoryDeadLetters
  /** Ids of those that have started. */
  readonly consumers: Set<string>
}

interface Unacked {
  readonly delivery: Delivery
  /** Undefined while it is parked. */
  readonly consumerId: string | undefined
}

interface Parked {
  readonly delivery: Delivery
  readonly etaMs: number
}

export function createMemoryConsumer(
  { queues: initial, consumerId }: ConsumerOptions,
  { waiting, unacked, parked, deadLetters, consumers }: MemoryMessages,
): Consumer {
  const order = claimOrder(initial, 'round_robin')
  const isMine = (tag: string): boolean => unacked.get(tag)?.consumerId === consumerId
  const letGo = (tag: string): boolean => isMine(tag) && unacked.delete(tag)

  const putBackInFront = (
    deliveries: readonly Delivery[],
    returned: (envelope: string) => string,
  ): Promise<void> => {
    for (const { tag, queue, envelope } of deliveries.toReversed()) {
      if (letGo(tag)) waiting.putBack(queue, returned(envelope), 'front')
    }
    return Promise.resolve()
  }

  const untilDueMs = (): number => {
    const etas = order.queues.flatMap((queue) => parked.get(queue)?.[0]?.etaMs ?? [])
    return Math.max(0, Math.min(...etas) - Date.now())
  }

  const takeDue = (queue: string, room: Room): Delivery[] => {
    const all = parked.get(queue) ?? []
    const due = all.filter(
      ({ etaMs, delivery }) => etaMs <= Date.now() && room.take(delivery.envelope.length),
    )
    parked.set(
      queue,
      all.filter((each) => !due.includes(each)),
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
    let left = limit
    const taken = waiting.take(queue, step, (bytes) => left-- > 0 && room.take(bytes))
    return taken.flatMap((envelope) => {
      const sent = readTag(envelope)
      if (sent === undefined) {
        const reason = { code: 'UNREADABLE', message: 'the element is not a JSON object' }
        unreadable.push({ queue, deadLetterId: deadLetters.bury(queue, envelope, undefined, reason) })
        return []
      }
      const tag = sent === '' || unacked.has(sent) ? randomUUID() : sent
      const delivery = { tag, queue, envelope, isDue: false }
      unacked.set(tag, { delivery, consumerId })
      return [delivery]
    })
  }

  return {
    get queues() {
      return order.queues
    },
    addQueue(queue) {
      order.add(queue)
      waiting.wakeAll()
      return Promise.resolve()
    },
    removeQueue: (queue) => order.remove(queue),
    start() {
      consumers.add(consumerId)
      return Promise.resolve()
    },
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
      const untilDue = untilDueMs()
      const nextDueMs = untilDue === Infinity ? undefined : untilDue
      return Promise.resolve({ deliveries, unreadable, nextDueMs })
    },
    async waitForWork(timeoutMs, signal) {
      await waiting.wait(order.queues, Math.min(timeoutMs, untilDueMs()), signal)
      return undefined
    },
    ack(deliveries) {
      for (const { tag } of deliveries) letGo(tag)
      return Promise.resolve()
    },
    park(delivery, eta) {
      const { tag, queue } = delivery
      if (!isMine(tag)) return Promise.resolve()
      unacked.set(tag, { delivery, consumerId: undefined })
      const all = [...(parked.get(queue) ?? []), { delivery, etaMs: eta.getTime() }]
      parked.set(
        queue,
        all.sort((a, b) => a.etaMs - b.etaMs),
      )
      return Promise.resolve()
    },
    // Whoever could lose it is gone with it.
    begin: (delivery) => Promise.resolve(isMine(delivery.tag)),
    release: (deliveries) => putBackInFront(deliveries, (envelope) => envelope),
    releaseBegun: (deliveries) => putBackInFront(deliveries, keepCount),
    releaseLost(delivery, cause) {
      const loss = { at: new Date(), cause, worker: workerOf(consumerId) }
      return putBackInFront([delivery], (envelope) => countLoss(markBegun(envelope), loss))
    },
    requeue({ tag, queue, envelope }) {
      if (letGo(tag)) {
        const loss = { at: new Date(), cause: 'REQUEUED', worker: workerOf(consumerId) } as const
        waiting.putBack(queue, countLoss(envelope, loss), 'back')
      }
      return Promise.resolve()
    },
    bury({ tag, queue, envelope }, reason) {
      if (letGo(tag)) deadLetters.bury(queue, envelope, workerOf(consumerId), reason)
      return Promise.resolve()
    },
    stop() {
      consumers.delete(consumerId)
      // In one process nobody else notices a lease that runs out, so what is still held goes back at once.
      const mine = [...unacked.values()].filter((each) => each.consumerId === consumerId)
      return putBackInFront(
        mine.map(({ delivery }) => delivery),
        keepCount,
      )
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
