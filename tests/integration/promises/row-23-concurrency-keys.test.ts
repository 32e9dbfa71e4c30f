import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { AppOptions, Celery, RunningWorker } from '../../../src/index.js'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

const WITHIN = { timeout: 20_000, interval: 20 }

/** What the workers of a test do, seen from outside of all of them. */
interface Oracle {
  readonly most: ReadonlyMap<string, number>
  readonly ended: readonly string[]
  readonly seen: ReadonlySet<string>
}

async function startWorkers(prefix: string, count: number): Promise<Oracle & { app: Celery }> {
  const running = new Map<string, number>()
  const most = new Map<string, number>()
  const ended: string[] = []
  const seen = new Set<string>()
  const newApp = (name: string): Celery => {
    const app = testApp(server.url, { brokerTransportOptions: { globalKeyprefix: prefix } })
    const options = { concurrencyLimit: 3, concurrencyKey: (args: readonly unknown[]) => String(args[0]) }
    app.task('work', options, async (tenant: string, ms: number) => {
      const now = (running.get(tenant) ?? 0) + 1
      running.set(tenant, now)
      most.set(tenant, Math.max(most.get(tenant) ?? 0, now))
      seen.add(name)
      await new Promise((resolve) => setTimeout(resolve, ms))
      running.set(tenant, (running.get(tenant) ?? 0) - 1)
      ended.push(tenant)
    })
    return app
  }
  for (let i = 0; i < count; i++) {
    const worker = await newApp(`w${i}`).startWorker({ hostname: `w${i}@here`, concurrency: 10 })
    onTestFinished(() => worker.stop())
  }
  return { app: newApp('sender'), most, ended, seen }
}

const send = (app: Celery, tenant: string, count: number, ms: number): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, () => app.sendTask('work', [tenant, ms])))

describe('row 23: a concurrency limit of 3', () => {
  it('is never exceeded by 4 workers of 10, whose calls all run', async () => {
    const { app, most, ended, seen } = await startWorkers('full:', 4)
    await send(app, 'a', 400, 10)
    await vi.waitFor(() => expect(ended).toHaveLength(400), WITHIN)
    expect(most.get('a')).toBe(3)
    expect(seen.size).toBeGreaterThan(1)
    const redis = redisClient(server.url)
    await vi.waitFor(async () => expect(await redis.keys('full:lovage.slots.*')).toEqual([]), WITHIN)
  })
})

interface Line {
  readonly app: Celery
  /** The key of each call that has begun. */
  readonly starts: readonly string[]
  readonly startWorker: (concurrency?: number) => Promise<RunningWorker>
}

/** Of calls that take 10 ms. */
function newLine(prefix: string, limit: number, settings: AppOptions = {}): Line {
  const app = testApp(server.url, { brokerTransportOptions: { globalKeyprefix: prefix }, ...settings })
  const starts: string[] = []
  const begin = async (tenant: string): Promise<void> => {
    starts.push(tenant)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const ofTenant = (args: readonly unknown[]) => String(args[0])
  app.task('work', { concurrencyLimit: limit, concurrencyKey: ofTenant }, begin)
  app.task('other', begin)
  return {
    app,
    starts,
    async startWorker(concurrency = 4) {
      const worker = await app.startWorker({ concurrency })
      onTestFinished(() => worker.stop())
      return worker
    },
  }
}

/** While it is still claimed, a key may have too few calls in hand. */
const FOUND = 3

/** How many calls of another key began at most from one start of `key` to the next, while all have calls waiting. */
function longestTurn(starts: readonly string[], key: string, others: readonly string[]): number {
  const indices = starts.flatMap((each, index) => (each === key ? [index] : [])).slice(FOUND)
  const end = Math.min(...others.map((other) => starts.lastIndexOf(other)))
  const turns = indices.slice(1).flatMap((to, i) => {
    const between = starts.slice(indices[i], to)
    return to > end ? [] : others.map((other) => between.filter((each) => each === other).length)
  })
  return Math.max(...turns)
}

/** Several calls of some keys, in this order. */
function sendAll(app: Celery, counts: Readonly<Record<string, number>>): Promise<unknown> {
  const tenants = Object.entries(counts).flatMap(([tenant, count]) => Array<string>(count).fill(tenant))
  return Promise.all(tenants.map((tenant) => app.sendTask('work', [tenant])))
}

describe('row 23: keys that have calls waiting begin one call each in a round', () => {
  it.each([2, 4, 10])('with 4 slots and a limit of %d', async (limit) => {
    const { app, starts, startWorker } = newLine(`round${limit}:`, limit)
    await sendAll(app, { a: 150, b: 15, c: 15 })
    await startWorker()
    await vi.waitFor(() => expect(starts).toHaveLength(180), WITHIN)
    // A key that has as many running as it may is ready again when one of them ends, while others begin.
    const most = limit < 4 ? limit : 1
    expect(longestTurn(starts, 'b', ['a', 'c'])).toBeLessThanOrEqual(most)
    expect(longestTurn(starts, 'c', ['a', 'b'])).toBeLessThanOrEqual(most)
    // They are found while a few of the first run.
    expect(starts.indexOf('b')).toBeLessThan(60)
    expect(starts.lastIndexOf('c')).toBeLessThan(130)
  })

  it('behind a line that is longer than what a worker holds', async () => {
    const { app, starts, startWorker } = newLine('long:', 10)
    await sendAll(app, { a: 1200, b: 20 })
    const worker = await startWorker()
    await vi.waitFor(() => expect(starts.filter((each) => each === 'b')).toHaveLength(20), WITHIN)
    await worker.stop()
    expect(starts.indexOf('b')).toBeLessThan(600)
    expect(longestTurn(starts, 'b', ['a'])).toBe(1)
  })

  it('and share the slots where each has more waiting than a worker holds', async () => {
    const { app, starts, startWorker } = newLine('parked:', 10, { workerPrefetchMaxBytes: 120_000 })
    await sendAll(app, { a: 160, b: 120, c: 120 })
    await startWorker()
    await vi.waitFor(() => expect(starts).toHaveLength(400), WITHIN)
    const from = starts.indexOf('c')
    const together = starts.slice(from, Math.min(...['a', 'b', 'c'].map((key) => starts.lastIndexOf(key))))
    expect(together.length).toBeGreaterThan(100)
    for (const key of ['a', 'b', 'c']) {
      const share = together.filter((each) => each === key).length / together.length
      expect(share).toBeGreaterThan(0.25)
    }
  })

  it('and calls without a key have every other turn', async () => {
    const { app, starts, startWorker } = newLine('mixed:', 10)
    await sendAll(app, { a: 30, b: 30 })
    for (let i = 0; i < 15; i++) await app.sendTask('other', ['-'])
    await startWorker(1)
    await vi.waitFor(() => expect(starts).toHaveLength(75), WITHIN)
    const order = starts.join('')
    expect(order).toMatch(/-a-b-a-b-a-b-a-b-/)
    expect(order.lastIndexOf('-')).toBeLessThan(60)
  })
})

describe('row 23: calls that wait for a turn', () => {
  it('go to a worker that has a slot, and keep their turn where none has', async () => {
    const { app, starts, startWorker } = newLine('stuck:', 10)
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    app.task('hold', { concurrencyLimit: 10, concurrencyKey: () => 'h' }, () => released)
    await app.sendTask('hold')
    await sendAll(app, { a: 20, b: 1 })
    const worker = await startWorker(1)
    // All are in hand, and then in the queue again.
    const waiting = (): Promise<number> => app.broker.queueLength('celery')
    await vi.waitFor(async () => expect(await waiting()).toBe(0), WITHIN)
    await vi.waitFor(async () => expect(await waiting()).toBe(21), WITHIN)
    expect(worker.counts()).toMatchObject({ active: 1, reserved: 0 })
    release()
    await vi.waitFor(() => expect(starts).toHaveLength(21), WITHIN)
    expect(starts.slice(0, 3)).toContain('b')
  })

  it('go back to the head of the queue at a stop, in their order', async () => {
    const { app, starts, startWorker } = newLine('stop:', 10)
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => (release = resolve))
    app.task('hold', { concurrencyLimit: 10, concurrencyKey: () => 'h' }, () => released)
    await app.sendTask('hold')
    await sendAll(app, { a: 10, b: 10 })
    const redis = redisClient(server.url)
    const list = (): Promise<string[]> => redis.lrange('stop:celery', 0, -1)
    const [, ...before] = (await list()).toReversed()
    const worker = await startWorker(1)
    await vi.waitFor(async () => expect(await list()).toEqual([]), WITHIN)
    const stopped = worker.stop()
    await vi.waitFor(async () => expect(await list()).toHaveLength(20), WITHIN)
    const after = (await list()).toReversed()
    release()
    await stopped
    expect(starts).toEqual([])
    expect(after.map(idOf)).toEqual(before.map(idOf))
  })
})

function idOf(envelope: string): string {
  return (JSON.parse(envelope) as { headers: { id: string } }).headers.id
}
