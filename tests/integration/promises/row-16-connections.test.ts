import { describe, expect, it, vi } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { Redis } from 'ioredis'

/** Purposes of our connections, by the names that they gave themselves. */
async function connections(redis: Redis): Promise<string[]> {
  const list = String(await redis.client('LIST'))
  return [...list.matchAll(/ name=lovage:([\w-]+):/g)].map(([, purpose = '']) => purpose).toSorted()
}

describe('row 16: connections', () => {
  it('row 16: a producer has one, with results three, and waiting for many takes no more', async () => {
    const { url } = await startRedis()
    const redis = redisClient(url)
    const expectConnections = (expected: readonly string[]): Promise<void> =>
      vi.waitFor(async () => expect(await connections(redis)).toEqual(expected), { timeout: 10_000 })
    const producer = testApp(url)
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => producer.sendTask('echo', [i])))
    await expectConnections(['broker'])

    const waits = results.map((result) => result.get({ timeout: 10_000 }))
    await eventually(async () => (await redis.pubsub('CHANNELS', 'celery-task-meta-*')).length === 50)
    await expectConnections(['broker', 'result-waits', 'results'])

    // A worker: one more for commands, one for wake-ups, one for messages handed over, one for results.
    const app = testApp(url)
    app.task('echo', (i: number) => i)
    await using worker = await app.startWorker({ queues: ['celery', 'a', 'b', 'c'] })
    expect(await Promise.all(waits)).toHaveLength(50)
    const all = ['broker', 'broker', 'hand-over', 'result-waits', 'results', 'results', 'wake-up']
    await expectConnections(all)

    for (let round = 0; round < 5; round++) {
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      const again = await eventually(() => producer.sendTask<number>('echo', [round]))
      expect(await again.get({ timeout: 10_000 })).toBe(round)
      await expectConnections(all)
    }
    expect(worker.counts().failed).toBe(0)
  })
})
