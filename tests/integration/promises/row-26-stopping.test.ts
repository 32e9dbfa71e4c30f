import { describe, expect, it } from 'vitest'
import { appModule, startLovage } from '../cli/lovage.js'
import { eventually } from '../../support/eventually.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { resolveSettings } from '../../../src/app/settings.js'
import { testApp } from '../../support/test-app.js'
import type { AsyncResult, Celery } from '../../../src/index.js'
import type { Redis } from 'ioredis'
import type { RunningProcess } from '../../support/start-process.js'

interface Site {
  readonly app: Celery
  readonly redis: Redis
  readonly worker: RunningProcess
  readonly results: readonly AsyncResult[]
  /** Ids of what waits, the next one first. */
  readonly queued: () => Promise<string[]>
}

/** A worker that runs one task, holds two more, and leaves one in the queue. */
async function startBusy(env: Record<string, string> = {}): Promise<Site> {
  const { url } = await startRedis()
  const redis = redisClient(url)
  const app = testApp(url)
  const results: AsyncResult[] = []
  for (let i = 0; i < 4; i++) results.push(await app.sendTask('stopping.hold', ['held']))
  const flags = ['-A', appModule('stopping.js'), '-b', url, '--result-backend', url]
  const options = ['worker', '-c', '1', '--prefetch-multiplier', '3']
  const worker = await startLovage([...flags, ...options], { env })
  await eventually(async () => (await redis.hlen('unacked')) === 3, { timeoutMs: 20_000 })
  await eventually(async () => (await redis.llen('held:started')) === 1)
  const queued = async (): Promise<string[]> => {
    const envelopes = await redis.lrange('celery', 0, -1)
    return envelopes.map((text) => String(parseEnvelope(text).headers.id)).toReversed()
  }
  return { app, redis, worker, results, queued }
}

/** No message is in anybody's hands, and no lease is left behind. */
async function expectNothingHeld(redis: Redis): Promise<void> {
  expect(await redis.keys('unacked*')).toEqual([])
  expect(await redis.keys('lovage.*')).toEqual([])
}

describe('row 26: a worker that is told to stop', () => {
  it('row 26: waits 25 s for its tasks unless told otherwise', () => {
    expect(resolveSettings({}).workerShutdownTimeout).toBe(25)
  })

  it('row 26: by SIGTERM takes nothing more, hands back at once what has not begun, lets finish what has, and ends with 0', async () => {
    const { app, redis, worker, results, queued } = await startBusy()
    const ids = results.map(({ id }) => id)
    worker.signal('SIGTERM')
    // A service manager sends both, and means one.
    worker.signal('SIGHUP')
    await eventually(async () => (await queued()).length === 3)
    expect(await queued()).toEqual(ids.slice(1))
    const late = await app.sendTask('stopping.hold', ['held'])
    await redis.rpush('held:release', 'now')
    expect(await worker.exit).toEqual({ code: 0, signal: null })
    expect(await results[0]?.get({ timeout: 5000 })).toBe('released')
    expect(await queued()).toEqual([...ids.slice(1), late.id])
    expect(await redis.llen('held:started')).toBe(1)
    await expectNothingHeld(redis)
  })

  it('row 26: hands back to the head of the queue what has not ended in time, and ends with 0', async () => {
    const { redis, worker, results, queued } = await startBusy({ SHUTDOWN_TIMEOUT: '0.3' })
    worker.signal('SIGINT')
    expect(await worker.exit).toEqual({ code: 0, signal: null })
    expect(await queued()).toEqual(results.map(({ id }) => id))
    const [next = ''] = await redis.lrange('celery', -1, -1)
    expect(parseEnvelope(next).properties.delivery_info.redelivered).toBe(true)
    await expectNothingHeld(redis)
  })

  it.each([
    { name: 'a second SIGTERM', first: 'SIGTERM', second: 'SIGTERM', code: 143 },
    { name: 'a SIGTERM that is remapped', first: undefined, second: 'SIGTERM', code: 0 },
  ] as const)('row 26: does not wait any more at $name, but hands back all', async (signals) => {
    const env = signals.first === undefined ? { REMAP_SIGTERM: 'SIGQUIT' } : {}
    const { redis, worker, results, queued } = await startBusy(env)
    if (signals.first !== undefined) {
      worker.signal(signals.first)
      await worker.waitForLine(/a second signal stops at once/)
      // Sooner, it would count as the same.
      await new Promise((resolve) => setTimeout(resolve, 600))
    }
    worker.signal(signals.second)
    expect(await worker.exit).toEqual({ code: signals.code, signal: null })
    expect(await queued()).toEqual(results.map(({ id }) => id))
    await expectNothingHeld(redis)
  })
})
