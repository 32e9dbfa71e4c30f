import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { randomUUID } from 'node:crypto'
import { atTestEnd } from '../../support/at-test-end.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { AppOptions, Celery, RunningWorker, WorkerOptions } from '../../../src/index.js'

const WITHIN = { timeout: 10_000, interval: 10 }
const GET = { timeout: 20_000 }

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.stop())

function makeApp(settings: AppOptions = {}): Celery {
  return testApp(redis.url, { brokerTransportOptions: { globalKeyprefix: `${randomUUID()}:` }, ...settings })
}

async function startWorker(app: Celery, options: WorkerOptions): Promise<RunningWorker> {
  const worker = await app.startWorker(options)
  atTestEnd(() => worker.stop())
  return worker
}

/** A task that runs until it is let go. */
function blocker(app: Celery): { send: (count: number) => Promise<unknown>; letAllGo: () => void } {
  const gate = new EventEmitter()
  gate.setMaxListeners(0)
  let isOpen = false
  const task = app.task('block', async () => {
    if (!isOpen) await once(gate, 'open')
  })
  const letAllGo = (): void => {
    isOpen = true
    gate.emit('open')
  }
  // Before the worker stops, or it would wait for them.
  return { send: (count) => Promise.all(Array.from({ length: count }, () => task.delay())), letAllGo }
}

describe('row 18: a worker leaves to others what it cannot begin', () => {
  it.each([true, false])(
    'row 18: reserves nothing while its slots are taken, taskAcksLate %s',
    async (taskAcksLate) => {
      const app = makeApp({ taskAcksLate })
      const { send, letAllGo } = blocker(app)
      await send(20)
      const worker = await startWorker(app, { concurrency: 4 })
      atTestEnd(letAllGo)
      await vi.waitFor(() => expect(worker.counts()).toMatchObject({ active: 4, reserved: 0 }), WITHIN)
      const other = await startWorker(app, { concurrency: 6 })
      await vi.waitFor(() => expect(other.counts()).toMatchObject({ active: 6, reserved: 0 }), WITHIN)
      expect(worker.counts()).toMatchObject({ active: 4, reserved: 0 })
      // The true backlog.
      expect(await app.broker.queueLength('celery')).toBe(10)
      letAllGo()
      await vi.waitFor(() => expect(worker.counts().succeeded + other.counts().succeeded).toBe(20), WITHIN)
    },
  )

  it('row 18: hands back what it claimed at the pace of short tasks and cannot begin', async () => {
    const app = makeApp()
    const short = app.task('short', () => null)
    const { send, letAllGo } = blocker(app)
    await Promise.all(Array.from({ length: 3000 }, () => short.delay()))
    await send(100)
    const worker = await startWorker(app, { concurrency: 5 })
    atTestEnd(letAllGo)
    await vi.waitFor(
      () => expect(worker.counts()).toMatchObject({ succeeded: 3000, active: 5, reserved: 0 }),
      WITHIN,
    )
    await vi.waitFor(async () => expect(await app.broker.queueLength('celery')).toBe(95), WITHIN)
    const { globalKeyprefix } = app.settings.brokerTransportOptions
    const waiting = await redisClient(redis.url).lrange(`${globalKeyprefix}celery`, 0, -1)
    expect(waiting.filter((envelope) => envelope.includes('redelivered'))).toEqual([])
    letAllGo()
    await vi.waitFor(() => expect(worker.counts()).toMatchObject({ succeeded: 3100, reserved: 0 }), WITHIN)
    expect(worker.counts()).toMatchObject({ started: 3100, failed: 0, deadLettered: 0 })
  })

  it('row 18: leaves to others the tasks that wait for one that computes', async () => {
    const app = makeApp()
    const left: number[] = []
    const lookers: Promise<unknown>[] = []
    const compute = app.task('compute', () => {
      const until = performance.now() + 30
      while (performance.now() < until);
      lookers.push(app.broker.queueLength('celery').then((length) => left.push(length)))
    })
    const results = await Promise.all(Array.from({ length: 40 }, () => compute.delay()))
    await startWorker(app, { concurrency: 100 })
    await Promise.all(results.map((result) => result.get(GET)))
    await Promise.all(lookers)
    // It is not all claimed at once, nor one by one: some at the first look, the others in small claims.
    expect(new Set(left).size).toBeGreaterThan(5)
    expect(Math.max(...left)).toBeGreaterThanOrEqual(20)
  })

  it('row 18: keeps its slots busy with short tasks', async () => {
    const app = makeApp()
    const short = app.task('short', () => sleep(2))
    const results = await Promise.all(Array.from({ length: 1000 }, () => short.delay()))
    const worker = await startWorker(app, { concurrency: 20 })
    let most = 0
    const looking = setInterval(() => (most = Math.max(most, worker.counts().active)), 1)
    await Promise.all(results.map((result) => result.get(GET)))
    clearInterval(looking)
    expect(most).toBe(20)
  })

  it.each([undefined, 0])(
    'row 18: holds no more bytes than it may, workerPrefetchMultiplier %s',
    async (workerPrefetchMultiplier) => {
      const app = makeApp({ workerPrefetchMaxBytes: 1_000_000, workerPrefetchMultiplier })
      const gate = new EventEmitter()
      gate.setMaxListeners(0)
      const large = app.task('large', async (text: string) => {
        await once(gate, 'open')
        return text.length
      })
      const results = await Promise.all(Array.from({ length: 12 }, () => large.delay('x'.repeat(300_000))))
      const worker = await startWorker(app, { concurrency: 50 })
      // Of 400,000 bytes each, as they are written; the one that reaches the limit is the last.
      const most = { expected: 3, seen: 0 }
      const looking = setInterval(() => {
        const { active, reserved } = worker.counts()
        most.seen = Math.max(most.seen, active + reserved)
      }, 1)
      atTestEnd(() => clearInterval(looking))
      await vi.waitFor(() => expect(worker.counts().active).toBe(most.expected), WITHIN)
      expect(await app.broker.queueLength('celery')).toBe(results.length - most.expected)
      const opening = setInterval(() => gate.emit('open'), 10)
      atTestEnd(() => clearInterval(opening))
      expect(await Promise.all(results.map((result) => result.get(GET)))).toEqual(results.map(() => 300_000))
      expect(most.seen).toBe(most.expected)
    },
  )

  it('row 18: runs one message after the other where each is larger than what it may hold', async () => {
    const app = makeApp({ workerPrefetchMaxBytes: 1000 })
    const large = app.task('large', (text: string) => text.length)
    const results = await Promise.all(Array.from({ length: 5 }, () => large.delay('x'.repeat(5000))))
    await startWorker(app, { concurrency: 50 })
    expect(await Promise.all(results.map((result) => result.get(GET)))).toEqual(results.map(() => 5000))
  })

  it('Celery’s multiplier holds what it says where it is set', async () => {
    const app = makeApp({ workerPrefetchMultiplier: 3 })
    const { send, letAllGo } = blocker(app)
    await send(20)
    const worker = await startWorker(app, { concurrency: 2 })
    atTestEnd(letAllGo)
    await vi.waitFor(() => expect(worker.counts()).toMatchObject({ active: 2, reserved: 4 }), WITHIN)
    await sleep(1200)
    expect(worker.counts()).toMatchObject({ active: 2, reserved: 4 })
  })
})
