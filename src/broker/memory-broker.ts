import { createMemoryFanout } from './memory-fanout.js'
import { createMemoryConsumer, type MemoryMessages } from './memory-consumer.js'
import { createMemoryDeadLetters } from './memory-dead-letters.js'
import { createMemoryRevocations } from './revocations.js'
import { createMemoryReplies } from './memory-replies.js'
import { createMemoryQueues } from './memory-queues.js'
import { DEFAULT_DEAD_LETTER_LIMITS } from './dead-letter.js'
import { PublishError } from './errors.js'
import { workerOf } from './worker-of.js'
import { readDeliveryInfo } from '../serialization/envelope.js'
import type { Broker, DeadLetterLimits, QueueBacklog } from './broker.js'

/**
 * A broker in the memory of one process: for tests, and for a first try without Redis. What waits is lost with
 * the process. It passes the same conformance suite as the Redis one.
 */
export function createMemoryBroker(limits: DeadLetterLimits = DEFAULT_DEAD_LETTER_LIMITS): Broker {
  const waiting = createMemoryQueues()
  const deadLetters = createMemoryDeadLetters(waiting, limits)
  const messages: MemoryMessages = {
    waiting,
    deadLetters,
    unacked: new Map(),
    parked: new Map(),
    consumers: new Set(),
  }
  let closed = false

  return {
    url: 'memory://',
    publish({ queue, priority, envelope }, { signal } = {}) {
      if (closed) {
        const error = new PublishError('BROKER_CLOSED', 'the broker was closed', { mayHaveBeenSent: false })
        return Promise.reject(error)
      }
      if (signal?.aborted) return Promise.reject(signal.reason as Error)
      waiting.push(queue, priority, envelope)
      return Promise.resolve()
    },
    consumer: (options) => createMemoryConsumer(options, messages),
    now: () => Date.now(),
    backlog(queues) {
      const held = [...messages.unacked.values()].filter(({ consumerId }) => consumerId !== undefined)
      const of = (queue: string): QueueBacklog => {
        const parked = messages.parked.get(queue) ?? []
        return {
          queue,
          length: waiting.length(queue),
          scheduled: parked.length,
          nextEta: parked[0]?.etaMs,
          ends: waiting.ends(queue).map(([head, tail]) => ({ head: tagOf(head), tail: tagOf(tail) })),
        }
      }
      return Promise.resolve({ now: Date.now(), unacked: held.length, queues: queues.map(of) })
    },
    queueLength: (queue) => Promise.resolve(waiting.length(queue)),
    parked(queues, limit) {
      const found = queues.flatMap((queue) =>
        (messages.parked.get(queue) ?? []).slice(0, limit).map(({ delivery, etaMs }) => {
          return { queue, eta: new Date(etaMs), envelope: delivery.envelope }
        }),
      )
      return Promise.resolve(found.toSorted((a, b) => a.eta.getTime() - b.eta.getTime()))
    },
    workers: () => Promise.resolve([...new Set([...messages.consumers].map(workerOf))].toSorted()),
    // Nothing is routed.
    bindings: () => Promise.resolve([]),
    purge: (queue) => Promise.resolve(waiting.purge(queue)),
    deadLetters,
    fanout: createMemoryFanout(),
    replies: createMemoryReplies(),
    revocations: createMemoryRevocations(),
    ping: () => Promise.resolve(0),
    close() {
      closed = true
      waiting.wakeAll()
      return Promise.resolve()
    },
  }
}

function tagOf(envelope: string | undefined): string {
  try {
    return envelope === undefined ? '' : readDeliveryInfo(envelope).deliveryTag
  } catch {
    return ''
  }
}
