import { ready } from '../redis/connect.js'
import { isReply } from '../redis/script.js'
import type { Log } from '../log.js'
import type { BrokerKeys } from './keys.js'
import type { Redis } from 'ioredis'
import type { Revocations, RevokedEntry, RevokedItem } from './revocations.js'

/** Members of one ZADD. */
const MOST_PER_COMMAND = 1000

/** In a sorted set by their time. Without a TTL, so that eviction does not take it; it is trimmed with each write. */
export function createRedisRevocations(client: Redis, keys: BrokerKeys, log: Log): Revocations {
  const key = keys.revoked
  /** They are told by broadcast all the same, so an ACL that knows nothing of this key is no reason to stop. */
  const passDenial = (error: unknown): void => {
    if (!isReply(error, 'NOPERM')) throw error
    log.warn({ err: error }, 'the ACL denies what revocations are kept with')
  }
  return {
    async keep(entries, { most, expiresMs }) {
      if (entries.length === 0) return
      await ready(client)
      const pipeline = client.pipeline()
      for (let first = 0; first < entries.length; first += MOST_PER_COMMAND) {
        const some = entries.slice(first, first + MOST_PER_COMMAND)
        pipeline.zadd(key, ...some.flatMap(({ item, at }) => [at / 1000, memberOf(item)]))
      }
      pipeline.zremrangebyscore(key, '-inf', (Date.now() - expiresMs) / 1000)
      pipeline.zremrangebyrank(key, 0, -most - 1)
      for (const [error] of (await pipeline.exec()) ?? []) if (error) passDenial(error)
    },

    async list({ most, expiresMs }) {
      await ready(client)
      const since = (Date.now() - expiresMs) / 1000
      const flat = await client
        .zrangebyscore(key, since, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
        .catch((error: unknown): string[] => {
          passDenial(error)
          return []
        })
      const entries: RevokedEntry[] = []
      for (let i = 0; i < flat.length; i += 2) {
        const item = itemOf(flat[i] ?? '')
        if (item !== undefined) entries.push({ item, at: Number(flat[i + 1]) * 1000 })
      }
      return entries
    },

    async has(id, { expiresMs }) {
      await ready(client)
      const at = await client.zscore(key, memberOf({ id })).catch((error: unknown) => {
        passDenial(error)
        return null
      })
      return Number(at ?? 0) * 1000 > Date.now() - expiresMs
    },
  }
}

/** `id:<task id>`, or `stamp:["header","value"]`. */
function memberOf({ id, stamp }: RevokedItem): string {
  return id === undefined ? `stamp:${JSON.stringify(stamp)}` : `id:${id}`
}

/** Undefined for what a later version may have written. */
function itemOf(member: string): RevokedItem | undefined {
  if (member.startsWith('id:')) return { id: member.slice('id:'.length) }
  if (!member.startsWith('stamp:')) return undefined
  try {
    const parsed: unknown = JSON.parse(member.slice('stamp:'.length))
    if (!Array.isArray(parsed)) return undefined
    const [header, value] = parsed as unknown[]
    return typeof header === 'string' && typeof value === 'string' ? { stamp: [header, value] } : undefined
  } catch {
    return undefined
  }
}
