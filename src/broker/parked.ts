import { readUnackedRecord } from './unacked.js'
import type { BrokerKeys } from './keys.js'
import type { ParkedMessage } from './broker.js'
import type { Redis } from 'ioredis'

/** Messages that wait for their ETA, and their records, which stay in `unacked`. */
export async function findParked(
  client: Redis,
  keys: BrokerKeys,
  queues: readonly string[],
  limit: number,
): Promise<ParkedMessage[]> {
  if (queues.length === 0 || limit < 1) return []
  const found = await Promise.all(
    queues.map(async (queue) => {
      const flat = await client.zrange(keys.parked(queue), '0', String(limit - 1), 'WITHSCORES')
      return flat.flatMap((tag, i) =>
        i % 2 === 0 ? [{ tag, queue, eta: new Date(Number(flat[i + 1]) * 1000) }] : [],
      )
    }),
  )
  const waiting = found.flat().toSorted((a, b) => a.eta.getTime() - b.eta.getTime())
  if (waiting.length === 0) return []
  const records = await client.hmget(keys.unacked, ...waiting.map(({ tag }) => tag))
  return waiting.flatMap(({ queue, eta }, i) => {
    // Claimed in the meantime where there is none.
    const record = readUnackedRecord(records[i] ?? '')
    return record === undefined ? [] : [{ queue, eta, envelope: record.envelope }]
  })
}
