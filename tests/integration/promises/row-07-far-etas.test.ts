import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { startLovageWorker } from '../../support/lovage-worker.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { registerSharedTasks } from '../../support/shared-tasks.js'
import { scaled } from '../../support/scale.js'
import { testApp } from '../../support/test-app.js'

const COUNT = scaled(5000, 100_000)
const AT_ONCE = 500
const DAY_MS = 86_400_000
const OPTIONS = { timeout: scaled(30_000, 600_000) }
const WITHIN = { timeoutMs: scaled(20_000, 120_000) }

it(
  'row 7: thousands of far ETAs burden no worker, survive the SIGKILL of all of them, and run once',
  OPTIONS,
  async () => {
    const { url } = await startRedis()
    const settings = { broker: url, backend: url, workerLease: 1 }
    const app = testApp(url, settings)
    const redis = redisClient(url)
    const eta = new Date(Date.now() + DAY_MS)
    const first = await startLovageWorker(settings)
    for (let sent = 0; sent < COUNT; sent += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, (_, i) => sent + i)
      await Promise.all(some.map((n) => app.sendTask('pytasks.record', ['ran', n], {}, { eta })))
    }

    /** What a worker holds in its memory is in its set; all else waits in Redis. */
    const heldByWorkers = async (): Promise<number> => {
      const sets = await redis.keys('lovage.held.*')
      return sets.length === 0 ? 0 : (await redis.sunion(sets)).length
    }
    const expectAllWaiting = async (): Promise<void> => {
      await eventually(async () => (await redis.zcard('lovage.parked.celery')) === COUNT, WITHIN)
      await eventually(async () => (await heldByWorkers()) === 0, WITHIN)
      expect(await redis.llen('celery')).toBe(0)
      expect(await redis.hlen('unacked')).toBe(COUNT)
      expect(await redis.zcount('unacked_index', eta.getTime() / 1000 - 1, '+inf')).toBe(COUNT)
      const today = await app.sendTask('pytasks.record', ['today', 'done'])
      expect(await today.get({ timeout: 20_000 })).toBe('done')
      expect(await redis.exists('ran')).toBe(0)
      // Its acknowledgement follows its result; a kill between the two would have it run again.
      await eventually(async () => (await redis.hlen('unacked')) === COUNT)
    }
    await expectAllWaiting()
    await first.kill()

    registerSharedTasks(app, redis)
    await using worker = await app.startWorker()
    await expectAllWaiting()
    expect(worker.counts()).toMatchObject({ started: 1, active: 0, reserved: 0 })

    // Tomorrow comes at once. The index first: a message is due when both say the same.
    const tags = await redis.zrange('lovage.parked.celery', '0', '-1')
    const now = String(Date.now() / 1000)
    for (const key of ['unacked_index', 'lovage.parked.celery']) {
      for (let first = 0; first < COUNT; first += AT_ONCE) {
        const due = tags.slice(first, first + AT_ONCE).flatMap((tag) => [now, tag])
        await redis.call('ZADD', key, 'XX', ...due)
      }
    }
    // The worker looks at the parked ones again when something happens, at the latest when it knew the next was due.
    await app.sendTask('pytasks.record', ['today', 'done'])

    await eventually(async () => (await redis.exists('unacked', 'unacked_index', 'celery')) === 0, WITHIN)
    const runs = await redis.lrange('ran', 0, -1)
    expect(runs.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: COUNT }, (_, n) => n))
  },
)
