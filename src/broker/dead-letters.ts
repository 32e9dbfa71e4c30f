import { z } from 'zod'
import type { DeadLetter, DeadLetterReason, DeadLetters } from './broker.js'
import type { BrokerKeys } from './keys.js'
import { ready, type RedisClient } from '../redis/connect.js'

/** What is kept beside the element, as JSON. */
export function deadLetterInformation(queue: string, reason: DeadLetterReason): string {
  return JSON.stringify({ code: reason.code, message: reason.message, queue })
}

const information = z.object({ code: z.string(), message: z.string(), queue: z.string() })

/** Messages that could not be worked, in Redis: an index by time, and two hashes by id. None of them expires. */
export function redisDeadLetters(client: RedisClient, keys: BrokerKeys): DeadLetters {
  const [index, elements, informationKey] = keys.deadLetters
  return {
    async count() {
      await ready(client)
      return client.zcard(index)
    },
    async list({ limit = 100, offset = 0 } = {}) {
      await ready(client)
      const found = await client.zrevrange(index, offset, offset + limit - 1, 'WITHSCORES')
      const ids = found.filter((_, i) => i % 2 === 0)
      if (ids.length === 0) return []
      const [envelopes, informations] = await Promise.all([
        client.hmget(elements, ...ids),
        client.hmget(informationKey, ...ids),
      ])
      return ids.flatMap((id, i): DeadLetter[] => {
        const envelope = envelopes[i]
        const text = informations[i]
        if (typeof envelope !== 'string' || typeof text !== 'string') return []
        const diedAt = new Date(Number(found[2 * i + 1]) * 1000)
        return [{ id, envelope, diedAt, ...information.parse(JSON.parse(text)) }]
      })
    },
  }
}
