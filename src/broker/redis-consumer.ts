import { randomUUID } from 'node:crypto'
import { isRefusal, loadScript } from '../redis/script.js'
import { markBegun } from '../serialization/earlier-deliveries.js'
import { deadLetterInformation, trimDeadLetters } from './dead-letters.js'
import { createHanded } from './handed.js'
import { createHandOver } from './hand-over.js'
import { createHands } from './hands.js'
import { claimOrder, type QueueOrderStrategy } from './rotation.js'
import { createUpkeep } from './upkeep.js'
import { putBack, type PutBackItem } from './put-back.js'
import { bindingMember } from './publish.js'
import { claimMessages } from './claim.js'
import { createWakeUp } from './wake-up.js'
import { workerOf } from './worker-of.js'
import type { Consumer, ConsumerOptions, DeadLetterLimits, DeadLetterReason, Delivery } from './broker.js'
import type { BrokerKeys } from './keys.js'
import type { Log } from '../log.js'
import type { LossCause } from '../serialization/earlier-deliveries.js'
import type { Subscriber } from './subscriber.js'
import { closeRedis, ready, type RedisConnectionOptions } from '../redis/connect.js'
import type { Redis } from 'ioredis'

const ackScript = loadScript(new URL('./lua/ack.lua', import.meta.url))
const parkScript = loadScript(new URL('./lua/park.lua', import.meta.url))
const beginScript = loadScript(new URL('./lua/begin.lua', import.meta.url))
const buryScript = loadScript(new URL('./lua/bury.lua', import.meta.url))

/** Lua's stack holds some thousands of values; a claim passes two for each message. */
const MOST_PER_CLAIM = 500
const MOST_PER_ACK = 500
/** How long a claim waits for a connection; no longer, since a stop waits for the claim. */
const PATIENCE_MS = 1000

/** On what ground this consumer puts back what it holds. */
type Ground =
  { readonly kind: 'released' | 'begun' | 'requeued' } | { readonly kind: 'lost'; readonly cause: LossCause }

export interface RedisConsumerOptions extends ConsumerOptions {
  readonly client: Redis
  /** For a thread that renews the lease while a task holds up the event loop; undefined: nobody does. */
  readonly connection: RedisConnectionOptions | undefined
  /** Undefined polls. */
  readonly subscriber: Subscriber | undefined
  /** For being handed messages only; closed with the consumer. */
  readonly asker: Redis
  readonly keys: BrokerKeys
  readonly sep: string
  readonly prioritySteps: readonly number[]
  readonly queueOrderStrategy: QueueOrderStrategy
  readonly visibilityTimeoutMs: number
  readonly leaseMs: number
  readonly deadLetterLimits: DeadLetterLimits
  readonly log: Log
}

export function createRedisConsumer(options: RedisConsumerOptions): Consumer {
  const { client, keys, consumerId, prioritySteps } = options
  const held = keys.held(consumerId)
  const order = claimOrder(options.queues, options.queueOrderStrategy)
  const wakeUp = createWakeUp(client, options.subscriber)
  const hands = createHands(options)
  // Whoever waits to be told of messages can be handed them from now on.
  const handOver = createHandOver({ ...options, onReady: () => wakeUp.interrupt() })
  const handed = createHanded({ ...options, hands })
  const listOf = (queue: string): string => keys.list(queue, prioritySteps[0] ?? 0)
  const declareQueues = async (): Promise<void> => {
    const pipeline = client.pipeline()
    for (const queue of order.queues) pipeline.sadd(keys.binding(queue), bindingMember(queue, options.sep))
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error
  }
  const upkeep = createUpkeep({
    ...options,
    declareQueues,
    onRenewed: (heldCount, handedCount) => {
      if (heldCount > hands.size) hands.suspect()
      if (handedCount > handed.size) handOver.suspect()
    },
  })
  /** Work is most likely to come where it came from last: there a message is handed over, of others it is told. */
  let askedQueue = options.queues[0] ?? ''
  let watched:
    | { readonly queues: readonly string[]; readonly asked: string; readonly lists: readonly string[] }
    | undefined
  /** All lists but the one that is asked for the next message: the same array, as long as they are the same. */
  const othersThan = (asked: string): readonly string[] => {
    const { queues } = order
    if (watched?.queues !== queues || watched.asked !== asked) {
      const lists = queues.flatMap((queue) => keys.lists(queue)).filter((list) => list !== listOf(asked))
      watched = { queues, asked, lists }
    }
    return watched.lists
  }

  /** Settles when the wait has ended that ran beside the one in which a message was handed over. */
  let left: Promise<void> | undefined

  /** Find what was handed over, and accepted by nobody. */
  const collect = (): Promise<void> =>
    handed.collect().catch((error: unknown) => {
      handOver.suspect()
      throw error
    })
  const putBackHeld = async (ground: Ground, deliveries: readonly Delivery[]): Promise<void> => {
    const items: PutBackItem[] = deliveries.map(({ tag, queue, envelope }) => ({ tag, queue, envelope }))
    await putBack(client, keys, prioritySteps, { ...ground, consumerId }, items)
    hands.letGo(items.map(({ tag }) => tag))
  }
  // Each is pushed to the front, so the one to be read first has to be pushed last.
  const putBackInFront = async (ground: Ground, deliveries: readonly Delivery[]): Promise<void> => {
    await handed.recorded()
    await putBackHeld(ground, deliveries.filter((each) => hands.holds(each)).toReversed())
  }
  /** Whatever fails here is made up for when the next dead letter comes. */
  const trim = async (): Promise<void> => {
    try {
      const count = await trimDeadLetters(client, keys, options.deadLetterLimits)
      if (count > 0) options.log.warn({ count }, 'dropped the oldest dead letters: too many, or too old')
    } catch (error) {
      options.log.warn({ err: error }, 'could not trim the dead letters')
    }
  }

  return {
    get queues() {
      return order.queues
    },

    async addQueue(queue) {
      await ready(client)
      // A claim of what the server does not let us look at would fail for all queues.
      await client.exists(...keys.lists(queue))
      await client.sadd(keys.binding(queue), bindingMember(queue, options.sep))
      order.add(queue)
      wakeUp.interrupt()
    },

    removeQueue(queue) {
      order.remove(queue)
      wakeUp.interrupt()
    },

    async start() {
      await ready(client)
      await declareQueues()
      await upkeep.start()
    },

    async claim(limit, maxBytes = Infinity) {
      // Whoever is told at once that there is no connection would sleep over its return.
      if (client.status !== 'ready') await ready(client, { timeoutMs: PATIENCE_MS })
      const most = Math.min(limit, MOST_PER_CLAIM)
      await handed.recorded()
      if (await handOver.withdrawLost()) await collect()
      const rest = handed.takeRest()
      if (rest !== undefined) return rest
      const recovered = await hands.recover(most)
      if (recovered.length > 0) return { deliveries: recovered, unreadable: [], nextDueMs: 0 }
      if (order.queues.length === 0) return { deliveries: [], unreadable: [], nextDueMs: undefined }
      const rotation = order.next(most)
      const claim = await claimMessages(client, keys, {
        consumerId,
        leaseMs: options.leaseMs,
        queues: rotation.queues,
        lists: prioritySteps.flatMap((step) => rotation.queues.map((queue) => keys.list(queue, step))),
        withParked: true,
        limit: most,
        lowShare: rotation.lowShare,
        maxBytes,
      }).catch((error: unknown) => {
        // Without an answer nobody knows whether it was executed.
        if (!isRefusal(error)) hands.suspect()
        throw error
      })
      hands.take(claim.deliveries)
      askedQueue = claim.deliveries.at(-1)?.queue ?? askedQueue
      order.claimed(claim.deliveries.length)
      if (claim.unreadable.length > 0) await trim()
      return claim
    },

    async waitForWork(timeoutMs, signal) {
      await left
      const { queues } = order
      if (!handOver.isReady() || queues.length === 0) {
        await wakeUp.wait(
          queues.flatMap((queue) => keys.lists(queue)),
          timeoutMs,
          signal,
        )
        return undefined
      }
      // What the last one has led to goes out first.
      if (handed.size > 0) await new Promise((resolve) => setImmediate(resolve))
      if (!queues.includes(askedQueue)) askedQueue = queues[0] ?? ''
      const queue = askedQueue
      const asking = handOver.ask(listOf(queue))
      let isWoken = false
      const woken = wakeUp.wait(othersThan(queue), timeoutMs, signal).finally(() => {
        isWoken = true
        asking.end()
      })
      // Waited for below, but only where nothing was handed over: what was must not be lost over an error.
      woken.catch(() => undefined)
      const answer = await asking.answer
      const isAlone = !isWoken && answer?.hasMore === false
      if (!isWoken) {
        left = woken.catch(() => undefined)
        wakeUp.leave()
      }
      if (answer === undefined) {
        await woken
        return undefined
      }
      return { delivery: handed.accept(answer.envelope, queue), isAlone }
    },

    async ack(deliveries) {
      const recorded = await handed.ack(deliveries)
      const tags = recorded.map(({ tag }) => tag)
      const acks: Promise<unknown>[] = []
      for (let first = 0; first < tags.length; first += MOST_PER_ACK) {
        const some = tags.slice(first, first + MOST_PER_ACK)
        acks.push(ackScript.run(client, [keys.unacked, keys.unackedIndex, held], some))
      }
      await Promise.all(acks)
      hands.letGo(deliveries.map(({ tag }) => tag))
    },

    // A hand-over whose reply was lost is repeated. Meanwhile the message may have come back as a new delivery, which
    // the repetition must not take away.
    async park(delivery, eta) {
      await handed.recorded()
      if (!hands.holds(delivery)) return
      const parkKeys = [keys.unackedIndex, held, keys.parked(delivery.queue)]
      await parkScript.run(client, parkKeys, [delivery.tag, (eta.getTime() / 1000).toFixed(6)])
      hands.letGo([delivery.tag])
      // A claim may have overtaken it and be followed by a wait that does not know of this ETA.
      wakeUp.interrupt()
    },

    async begin(delivery) {
      await handed.recorded()
      if (!hands.holds(delivery)) return false
      const { tag, envelope } = delivery
      const args = [tag, envelope, markBegun(envelope)]
      const isHeld = (await beginScript.run(client, [keys.unacked, held], args)) === 1
      if (!isHeld) hands.letGo([tag])
      return isHeld
    },

    release: (deliveries) => putBackInFront({ kind: 'released' }, deliveries),
    releaseBegun: (deliveries) => putBackInFront({ kind: 'begun' }, deliveries),
    releaseLost: (delivery, cause) => putBackInFront({ kind: 'lost', cause }, [delivery]),

    async requeue(delivery) {
      await handed.recorded()
      if (!hands.holds(delivery)) return
      await putBackHeld({ kind: 'requeued' }, [delivery])
    },

    async bury(delivery: Delivery, reason: DeadLetterReason) {
      await handed.recorded()
      const buryKeys = [keys.unacked, keys.unackedIndex, held, ...keys.deadLetters]
      const information = deadLetterInformation(delivery.queue, workerOf(consumerId), reason)
      await buryScript.run(client, buryKeys, [delivery.tag, randomUUID(), delivery.envelope, information])
      hands.letGo([delivery.tag])
      await trim()
    },

    async stop() {
      wakeUp.close()
      // Before the lease is given up: nothing is handed to one without.
      await closeRedis(options.asker)
      await upkeep.stop()
    },
  }
}
