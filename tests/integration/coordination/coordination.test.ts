import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { createMemoryCoordination } from '../../../src/coordination/memory-coordination.js'
import { createRedisCoordination } from '../../../src/coordination/redis-coordination.js'
import { describeCoordination } from './conformance.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { silentLog } from '../../../src/log.js'
import { systemClock } from '../../../src/clock.js'
import type { Coordination } from '../../../src/coordination/coordination.js'

let server: RedisServer
let prefixes = 0
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

function onRedis(globalKeyprefix = `t${++prefixes}:`): Coordination {
  const coordination = createRedisCoordination({
    connection: { url: server.url },
    globalKeyprefix,
    patienceMs: 5000,
    log: silentLog,
  })
  atTestEnd(() => coordination.close())
  return coordination
}

describe('in memory', () => describeCoordination(() => createMemoryCoordination(systemClock)))

describe('on Redis', () => {
  describeCoordination(() => onRedis())

  it('row 11: leaves no key that does not end by itself', async () => {
    const coordination = onRedis('end:')
    await coordination.takeUnique('k'.repeat(1000), 'a', 60_000)
    await coordination.reserveTurn('k', 10_000, 10_000)
    await coordination.takeSlot('k', 'a', 2, 60_000)
    const redis = redisClient(server.url)
    const keys = await redis.keys('end:*')
    expect(keys).toHaveLength(3)
    for (const key of keys) {
      expect(key.length).toBeLessThan(300)
      expect(await redis.pttl(key)).toBeGreaterThan(0)
    }
  })

  it('does not wait for turns that were reserved before the clock was set back', async () => {
    const coordination = onRedis('back:')
    const redis = redisClient(server.url)
    await redis.set('back:lovage.rate.k', String((Date.now() + 3_600_000) * 1000))
    expect(await coordination.reserveTurn('k', 100, 1000)).toEqual({ isReserved: true, waitMs: 0 })
  })
})
