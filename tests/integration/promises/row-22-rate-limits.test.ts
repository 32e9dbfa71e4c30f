import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { TaskOptions } from '../../../src/index.js'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

interface Starts {
  /** When tasks of a key started, in milliseconds. */
  readonly of: (key: string) => readonly number[]
  readonly send: (key: string, count: number) => Promise<void>
}

let apps = 0
async function startWorkers(count: number, options: TaskOptions): Promise<Starts> {
  const starts = new Map<string, number[]>()
  const prefix = `rate${++apps}:`
  const newApp = () => {
    const app = testApp(server.url, { brokerTransportOptions: { globalKeyprefix: prefix } })
    const note = (key: string): void => {
      starts.set(key, [...(starts.get(key) ?? []), performance.now()])
    }
    return { limited: app.task('limited', options, note), free: app.task('free', note), app }
  }
  for (let i = 0; i < count; i++) {
    const worker = await newApp().app.startWorker({ hostname: `w${i}@here`, concurrency: 10 })
    onTestFinished(() => worker.stop())
  }
  const { limited, free } = newApp()
  return {
    of: (key) => starts.get(key) ?? [],
    async send(key, calls) {
      const task = key === 'free' ? free : limited
      await Promise.all(Array.from({ length: calls }, () => task.delay(key)))
    },
  }
}

/** How many started within the ten seconds from the first one on. */
function inTenSeconds(starts: readonly number[]): number {
  const [first = 0] = starts
  return starts.filter((at) => at < first + 10_000).length
}

const WITHIN = { timeout: 20_000, interval: 50 }

describe('row 22: a rate limit', () => {
  it('of one worker holds within 5 % over 10 s, and holds up no other task', async () => {
    const starts = await startWorkers(1, { rateLimit: '10/s' })
    await starts.send('limited', 300)
    await starts.send('free', 20)
    await vi.waitFor(() => expect(starts.of('free')).toHaveLength(20), WITHIN)
    expect(starts.of('limited').length).toBeLessThan(60)
    await vi.waitFor(() => expect(starts.of('limited').length).toBeGreaterThan(106), WITHIN)
    expect(inTenSeconds(starts.of('limited'))).toBeGreaterThanOrEqual(95)
    expect(inTenSeconds(starts.of('limited'))).toBeLessThanOrEqual(105)
  }, 40_000)

  it('of all workers holds for each key within 5 % over 10 s, with ten workers', async () => {
    const key = ([tenant]: readonly unknown[]) => String(tenant)
    const starts = await startWorkers(10, { rateLimit: { limit: 10, key } })
    await Promise.all([starts.send('a', 200), starts.send('b', 200)])
    for (const tenant of ['a', 'b']) {
      await vi.waitFor(() => expect(starts.of(tenant).length).toBeGreaterThan(106), WITHIN)
      expect(inTenSeconds(starts.of(tenant))).toBeGreaterThanOrEqual(95)
      expect(inTenSeconds(starts.of(tenant))).toBeLessThanOrEqual(105)
    }
  }, 40_000)
})
