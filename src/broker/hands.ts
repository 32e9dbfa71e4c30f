import { loadScript } from '../redis/script.js'
import { readUnackedRecord } from './unacked.js'
import type { BrokerKeys } from './keys.js'
import type { Delivery } from './broker.js'
import type { Log } from '../log.js'
import type { RedisClient } from '../redis/connect.js'

/**
 * What a consumer knows to hold, beside `lovage.held.<consumer>`, which says what it does hold.
 *
 * The two differ when the reply to a claim is lost: the server has handed messages over that nobody works, and the
 * renewal of the lease would keep them so for ever. It may even execute a claim long after its connection was given
 * up, when a partition heals. So both are compared after a claim that failed, and when a renewal finds more there than
 * is known here. What nobody knows of is taken over as if it had just been claimed.
 *
 * Invariant: no claim is under way while they are compared, or its messages would be taken twice.
 */
export interface Hands {
  readonly size: number
  take(deliveries: readonly Delivery[]): void
  /** Whether it is this delivery of the message that is held, not a later one of the same tag. */
  holds(delivery: Delivery): boolean
  letGo(tags: readonly string[]): void
  /** Something may be held that is not known. */
  suspect(): void
  /** Up to `limit` messages that were not known, held and known from now on; asks the server only after a suspicion. */
  recover(limit: number): Promise<Delivery[]>
}

const script = loadScript(new URL('./lua/recover.lua', import.meta.url))

export function createHands(options: {
  readonly client: RedisClient
  readonly keys: BrokerKeys
  readonly consumerId: string
  readonly queues: readonly string[]
  readonly log: Log
}): Hands {
  const { client, keys, consumerId, queues, log } = options
  const held = keys.held(consumerId)
  const known = new Map<string, Delivery>()
  let isSuspicious = false

  const take = (deliveries: readonly Delivery[]): void => {
    for (const delivery of deliveries) known.set(delivery.tag, delivery)
  }

  const findUnknown = async (limit: number): Promise<Delivery[]> => {
    const unknown = (await client.smembers(held)).filter((tag) => !known.has(tag))
    if (unknown.length > limit) isSuspicious = true
    const tags = unknown.slice(0, limit)
    if (tags.length === 0) return []
    // Some may have been acknowledged since: the script looks again.
    const found = (await script.run(client, [keys.unacked, held], tags)) as string[]
    const deliveries: Delivery[] = []
    for (let i = 0; i < found.length; i += 2) {
      const [tag = '', text = ''] = [found[i], found[i + 1]]
      const record = readUnackedRecord(text)
      // The anonymous exchange: the routing key is the queue (wire protocol, section 7.3).
      const queue = record?.routingKey ?? queues[0] ?? ''
      deliveries.push({ tag, queue, envelope: record?.envelope ?? text, isDue: false })
    }
    return deliveries
  }

  return {
    get size() {
      return known.size
    },
    take,
    holds: (delivery) => known.get(delivery.tag) === delivery,
    letGo(tags) {
      for (const tag of tags) known.delete(tag)
    },
    suspect() {
      isSuspicious = true
    },
    async recover(limit) {
      if (!isSuspicious) return []
      // Before the look, so that a suspicion that comes up during it is followed as well.
      isSuspicious = false
      try {
        const deliveries = await findUnknown(limit)
        take(deliveries)
        if (deliveries.length > 0) {
          log.warn(
            { consumer: consumerId, count: deliveries.length },
            'took over messages of a claim whose reply was lost',
          )
        }
        return deliveries
      } catch (error) {
        isSuspicious = true
        throw error
      }
    },
  }
}
