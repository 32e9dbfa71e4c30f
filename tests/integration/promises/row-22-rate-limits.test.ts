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
  it('of one worker, and one of all ten workers for each key, holds within 5 % over 10 s, and holds up no other task', async () => {
    const key = ([tenant]: readonly unknown[]) => String(tenant)
    // At the same time: nearly all that it takes is to wait.
    const own = await startWorkers(1, { rateLimit: '10/s' })
    const shared = await startWorkers(10, { rateLimit: { limit: 10, key } })
    await own.send('limited', 300)
    await own.send('free', 20)
    await Promise.all([shared.send('a', 200), shared.send('b', 200)])
    await vi.waitFor(() => expect(own.of('free')).toHaveLength(20), WITHIN)
    expect(own.of('limited').length).toBeLessThan(60)
    for (const starts of [() => own.of('limited'), () => shared.of('a'), () => shared.of('b')]) {
      await vi.waitFor(() => expect(starts().length).toBeGreaterThan(106), WITHIN)
      expect(inTenSeconds(starts())).toBeGreaterThanOrEqual(95)
      expect(inTenSeconds(starts())).toBeLessThanOrEqual(105)
    }
  }, 40_000)
})
