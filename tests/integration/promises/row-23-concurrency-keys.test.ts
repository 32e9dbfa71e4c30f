import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { Celery } from '../../../src/index.js'

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

  it('lets no key wait for another', async () => {
    const { app, most, ended } = await startWorkers('fair:', 1)
    await send(app, 'large', 300, 20)
    for (const tenant of ['b', 'c', 'd']) await send(app, tenant, 1, 1)
    await vi.waitFor(() => expect(ended).toEqual(expect.arrayContaining(['b', 'c', 'd'])), WITHIN)
    expect(ended.length).toBeLessThan(150)
    await vi.waitFor(() => expect(ended).toHaveLength(303), WITHIN)
    expect(most.get('large')).toBe(3)
  })
})
