import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { rawMessage } from '../../support/raw-message.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { sentAtOf } from '../../../src/serialization/timed-tag.js'
import { series } from '../../support/metrics.js'
import { testApp } from '../../support/test-app.js'
import type { Celery } from '../../../src/index.js'

const FIVE_MINUTES_MS = 300_000

/** Do something while the clock of this machine, which is then a producer's, is wrong. */
async function withClockAhead<T>(byMs: number, act: () => Promise<T>): Promise<T> {
  const now = Date.now.bind(Date)
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + byMs)
  try {
    return await act()
  } finally {
    clock.mockRestore()
  }
}

/** An app that has a connection, and by it the server's clock. */
async function connectedApp(url: string): Promise<Celery> {
  const app = testApp(url, { workerShutdownTimeout: 0.1 })
  await app.broker.ping(5000)
  await vi.waitFor(() => expect(app.broker.now()).toBeDefined())
  return app
}

describe('how long messages wait', () => {
  it('row 27: is in a histogram without any event, right whatever the clocks of producers say', async () => {
    const { url } = await startRedis()
    const app = await connectedApp(url)
    app.task('t', () => null)
    for (const aheadMs of [FIVE_MINUTES_MS, -FIVE_MINUTES_MS]) {
      await withClockAhead(aheadMs, () => app.sendTask('t'))
      const [envelope = ''] = await redisClient(url).lrange('celery', 0, 0)
      const { properties } = JSON.parse(envelope) as { properties: { delivery_tag: string } }
      expect(Math.abs((sentAtOf(properties.delivery_tag) ?? 0) - Date.now())).toBeLessThan(60_000)
    }
    // One of Python's, which does not tell.
    await redisClient(url).lpush('celery', rawMessage('t').envelope)
    const sentAt = performance.now()
    await new Promise((resolve) => setTimeout(resolve, 300))
    const waitedMs = performance.now() - sentAt
    await using worker = await app.startWorker({ httpPort: 0, hostname: 'w@h' })
    const labels = '{name="t",hostname="h",queue_name="celery"}'
    await vi.waitFor(async () => {
      expect(await series(worker, 'celery_task_started_total')).toEqual({ [labels]: 3 })
    })
    expect(await series(worker, 'celery_task_queue_wait_time_count')).toEqual({ [labels]: 2 })
    const { [labels]: sum = NaN } = await series(worker, 'celery_task_queue_wait_time_sum')
    expect(sum).toBeGreaterThan((2 * waitedMs - 100) / 1000)
    expect(sum).toBeLessThan(20)
  })

  it('row 27: counts from the ETA, where there is one, and not what runs again', async () => {
    const { url } = await startRedis()
    const app = await connectedApp(url)
    let runs = 0
    app.task('t', { bind: true }, (task) => {
      if (++runs === 1) throw task.reject('once more', { requeue: true })
    })
    await using worker = await app.startWorker({ httpPort: 0, hostname: 'w@h' })
    await app.sendTask('t', [], {}, { countdown: 0.5 })
    await vi.waitFor(() => expect(runs).toBe(2), { timeout: 10_000 })
    expect(Object.values(await series(worker, 'celery_task_queue_wait_time_count'))).toEqual([1])
    // From the sending it would be more.
    const [sum = NaN] = Object.values(await series(worker, 'celery_task_queue_wait_time_sum'))
    expect(sum).toBeGreaterThanOrEqual(0)
    expect(sum).toBeLessThan(0.45)
  })
})

describe('queues', () => {
  it('row 28: have gauges that say what an oracle counts: waiting, scheduled, held, and the age of the oldest', async () => {
    const { url } = await startRedis()
    const redis = redisClient(url)
    const app = await connectedApp(url)
    app.task('hold', { bind: true }, (task) => once(task.signal, 'abort'))
    const options = { httpPort: 0, concurrency: 2, prefetchMultiplier: 1, queues: ['q', 'r'] }
    await using worker = await app.startWorker(options)
    for (const countdown of [600, 700, 800]) await app.sendTask('hold', [], {}, { queue: 'r', countdown })
    await eventually(async () => (await redis.zcard('lovage.parked.r')) === 3)
    for (let i = 0; i < 2; i++) await app.sendTask('hold', [], {}, { queue: 'q' })
    await vi.waitFor(() => expect(worker.counts().active).toBe(2))
    // Whom a message was just handed has not recorded it yet.
    await eventually(async () => (await redis.hlen('unacked')) === 5)
    for (const priority of [0, 1, 3, 6, 9]) await app.sendTask('hold', [], {}, { queue: 'q', priority })
    await redis.lpush('r', rawMessage('hold').envelope)
    const sentAt = performance.now()

    const steps = ['', '\x06\x163', '\x06\x166', '\x06\x169']
    const waiting = async (queue: string): Promise<number> => {
      const lengths = await Promise.all(steps.map((step) => redis.llen(`${queue}${step}`)))
      return lengths.reduce((sum, length) => sum + length, 0)
    }
    const held = await redis.hlen('unacked')
    expect([await waiting('q'), await waiting('r'), held]).toEqual([5, 1, 5])
    expect(await series(worker, 'celery_queue_length')).toEqual({
      '{queue_name="q"}': await waiting('q'),
      '{queue_name="r"}': await waiting('r'),
    })
    expect(await series(worker, 'lovage_queue_scheduled')).toEqual({
      '{queue_name="q"}': 0,
      '{queue_name="r"}': await redis.zcard('lovage.parked.r'),
    })
    expect(await series(worker, 'lovage_unacked_messages')).toEqual({ '': held - 3 })

    const ages = await series(worker, 'lovage_queue_oldest_message_age_seconds')
    const waited = (performance.now() - sentAt) / 1000
    expect(ages['{queue_name="q"}']).toBeGreaterThan(0)
    expect(ages['{queue_name="q"}']).toBeLessThan(waited + 5)
    // Of Python's message it is known since when somebody has looked.
    expect(ages['{queue_name="r"}']).toBeGreaterThan(0)
    expect(ages['{queue_name="r"}']).toBeLessThan(waited + 0.1)
  })
})
