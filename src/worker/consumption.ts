import { fullJitterMs } from '../backoff.js'
import type { Clock } from '../clock.js'
import type { Claim, Consumer, Delivery } from '../broker/broker.js'
import type { Log } from '../log.js'
import type { Prefetch } from './prefetch.js'

/** The loop that claims messages while there is room under the prefetch count (wire protocol, section 6.2). */
export interface Consumption {
  start(): Promise<void>
  /** Milliseconds since the last claim that succeeded; 0 while there is room for none, undefined before the first. */
  sinceClaimMs(): number | undefined
  /** Claim no more. Resolves when no claim is under way. */
  stop(): Promise<void>
}

export interface ConsumptionParts {
  readonly consumer: Consumer
  readonly prefetch: Prefetch
  readonly held: () => number
  /** Length of the messages that are in memory at most, but for one of any length. */
  readonly maxBytes: number
  readonly heldBytes: () => number
  /** Register a listener to be called whenever fewer are held than before, or more may be. */
  readonly onRoom: (listener: () => void) => void
  readonly onDelivery: (delivery: Delivery) => void
  readonly clock: Clock
  readonly log: Log
}

const BACKOFF = { firstMs: 25, longestMs: 500 }
const FOREVER_MS = 2 ** 31 - 1

interface Found extends Claim {
  /** It found less than it asked for, and has emptied the queues. */
  readonly isShort: boolean
  readonly bytes: number
}

export function createConsumption(parts: ConsumptionParts): Consumption {
  const { consumer, prefetch, held, maxBytes, heldBytes, clock, log } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  let onRoom: (() => void) | undefined
  let loop: Promise<void> | undefined
  let claimedAt: number | undefined

  parts.onRoom(() => onRoom?.())
  signal.addEventListener('abort', () => onRoom?.())

  const moreRoom = (): Promise<void> =>
    new Promise((resolve) => {
      onRoom = () => {
        onRoom = undefined
        resolve()
      }
    })

  /** A claim under way, asked for while its predecessor's messages begin to run. */
  let ahead: Promise<Found> | undefined

  const claim = async (room: number, bytesLeft: number): Promise<Found> => {
    const asked = Math.min(room, prefetch.claimSize())
    const askedAt = performance.now()
    const found = await consumer.claim(asked, bytesLeft)
    prefetch.claimed(performance.now() - askedAt)
    claimedAt = performance.now()
    const bytes = found.deliveries.reduce((sum, { envelope }) => sum + envelope.length, 0)
    const isFull = found.deliveries.length + found.unreadable.length >= asked || bytes >= bytesLeft
    return { ...found, bytes, isShort: !isFull }
  }

  /** Resolves when there is something to claim; what is handed over meanwhile is taken in. */
  const waitForWork = async (dueMs: number): Promise<void> => {
    const dueAt = performance.now() + dueMs
    const hasRoom = (): boolean => held() < prefetch.limit() && heldBytes() < maxBytes
    while (!signal.aborted && hasRoom()) {
      const handedOver = await consumer.waitForWork(dueAt - performance.now(), signal)
      if (handedOver === undefined) return
      parts.onDelivery(handedOver.delivery)
      if (!handedOver.isAlone) return
    }
  }

  const step = async (): Promise<void> => {
    const free = prefetch.limit() - held()
    const freeBytes = maxBytes - heldBytes()
    if (ahead === undefined && (free <= 0 || freeBytes <= 0)) {
      await moreRoom()
      return
    }
    const claimed = ahead ?? claim(free, freeBytes)
    ahead = undefined
    const { deliveries, bytes, unreadable, nextDueMs, isShort } = await claimed
    // Redis works on the next claim while these run; what is about to be held counts already.
    const left = prefetch.limit() - held() - deliveries.length
    const leftBytes = maxBytes - heldBytes() - bytes
    if (!isShort && !signal.aborted && left > 0 && leftBytes > 0) {
      ahead = claim(left, leftBytes)
      // Awaited, and its failure met, in the next step.
      ahead.catch(() => undefined)
    }
    for (const { queue, deadLetterId } of unreadable) {
      log.error({ queue, deadLetterId }, 'an element of the queue is no message; it is in the dead letters')
    }
    const handedAt = performance.now()
    for (const delivery of deliveries) parts.onDelivery(delivery)
    prefetch.handedOver(deliveries.length, performance.now() - handedAt)
    if (isShort) await waitForWork(nextDueMs ?? FOREVER_MS)
  }

  /** Repeat an action until `isDone`, with pauses that grow while it fails. */
  const persist = async (action: () => Promise<void>, isDone: () => boolean): Promise<void> => {
    let failures = 0
    while (!isDone() && !signal.aborted) {
      const from = performance.now()
      try {
        await action()
        failures = 0
      } catch (error) {
        failures++
        if (failures === 1) log.warn({ err: error }, 'could not consume; trying again')
        // What waited for a connection has paused already, and a pause may sleep over its return.
        const pauseMs = fullJitterMs(failures, BACKOFF) - (performance.now() - from)
        if (pauseMs > 0) await clock.sleep(pauseMs, signal)
      }
    }
  }

  return {
    async start() {
      let isStarted = false
      const begin = async (): Promise<void> => {
        await consumer.start()
        isStarted = true
      }
      await persist(begin, () => isStarted)
      loop = persist(step, () => false)
    },
    sinceClaimMs() {
      if (claimedAt === undefined) return undefined
      const isFull = prefetch.limit() <= held() || maxBytes <= heldBytes()
      return isFull ? 0 : performance.now() - claimedAt
    },
    async stop() {
      stopping.abort()
      await loop
      // What was claimed ahead is held, so it has to be handed back with the rest.
      const last = await ahead?.catch(() => undefined)
      for (const delivery of last?.deliveries ?? []) parts.onDelivery(delivery)
    },
  }
}
