import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { Redis } from 'ioredis'

const WINDOW_MS = 12_000
const WORKERS = 3
/** Sixty a minute. */
const MOST_PER_WORKER = WINDOW_MS / 1000

/** What clients have sent: scripts count as one, whatever they call. */
async function commandsSent(redis: Redis): Promise<number> {
  const info = await redis.info('commandstats')
  const calls = [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  const sent = calls.filter(([, name = '']) => /^(evalsha|eval|exists|client)\b/.test(name))
  return sent.reduce((sum, [, , count]) => sum + Number(count), 0)
}

it('row 17: an idle worker sends at most sixty commands a minute, however many of them there are', async () => {
  const { url } = await startRedis()
  const redis = redisClient(url)
  const apps = Array.from({ length: WORKERS }, () => testApp(url))
  const workers = await Promise.all(apps.map((app) => app.startWorker({ queues: ['celery', 'a', 'b'] })))
  // A count over a while is what this is about, so there is no event to await.
  await sleep(1000)
  await redis.config('RESETSTAT')
  await sleep(WINDOW_MS)
  const sent = await commandsSent(redis)
  await Promise.all(workers.map((worker) => worker.stop()))
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThanOrEqual(WORKERS * MOST_PER_WORKER)
})

it('row 17: gossip is off by default: workers hear nothing of each other’s heartbeats', async () => {
  const { url } = await startRedis()
  const redis = redisClient(url)
  const patterns = async (gossip?: boolean): Promise<number> => {
    const app = testApp(url)
    await using worker = await app.startWorker(gossip === undefined ? {} : { gossip })
    const count = Number(await redis.pubsub('NUMPAT'))
    await worker.stop()
    await app.close()
    return count
  }
  // That of remote control; of gossip, one more.
  expect(await patterns()).toBe(1)
  expect(await patterns(true)).toBe(2)
})
