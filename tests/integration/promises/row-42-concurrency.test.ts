import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

const CONCURRENCY = 2000
const TASKS = 3 * CONCURRENCY
const TASK_MS = 100

describe('row 42: async functions', () => {
  it(`row 42: ${CONCURRENCY} run at once in one process, never more, and wait for no other`, async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    let active = 0
    let most = 0
    let open: () => void
    const isFull = new Promise<void>((resolve) => (open = resolve))
    app.task('wait', async (value: number) => {
      most = Math.max(most, ++active)
      // The first wait for one another, and for those that ought not to come.
      if (active === CONCURRENCY) setTimeout(open, TASK_MS)
      await isFull
      await sleep(TASK_MS)
      active--
      return value
    })
    const results = await Promise.all(Array.from({ length: TASKS }, (_, i) => app.sendTask('wait', [i])))

    const startedAt = performance.now()
    await using worker = await app.startWorker({ concurrency: CONCURRENCY, prefetchMultiplier: 2 })
    const values = await Promise.all(results.map((result) => result.get({ timeout: 25_000 })))
    const tookMs = performance.now() - startedAt

    expect(values).toEqual(Array.from({ length: TASKS }, (_, i) => i))
    expect(most).toBe(CONCURRENCY)
    // One after the other they would take ten minutes.
    expect(tookMs).toBeLessThan((TASKS * TASK_MS) / 30)
    expect(worker.counts()).toMatchObject({ started: TASKS, succeeded: TASKS, active: 0, reserved: 0 })
    const observer = redisClient(url)
    await eventually(async () => (await observer.exists('celery', 'unacked')) === 0)
  })

  it.each([1, 7])('row 42: leaves to others what is more than %i and the prefetch', async (concurrency) => {
    const { url } = await startRedis()
    const app = testApp(url)
    const gate = new AbortController()
    let started = 0
    app.task('wait', async () => {
      started++
      if (!gate.signal.aborted) await once(gate.signal, 'abort')
    })
    const results = await Promise.all(Array.from({ length: 20 * concurrency }, () => app.sendTask('wait')))
    await using worker = await app.startWorker({ concurrency, prefetchMultiplier: 2 })

    const observer = redisClient(url)
    await eventually(async () => (await observer.hlen('unacked')) === 2 * concurrency)
    await app.broker.ping(5000)
    // Redis knows of the claim before the worker has its reply.
    await eventually(() => started === concurrency)
    expect(worker.counts()).toMatchObject({ active: concurrency, reserved: concurrency })
    expect(await observer.llen('celery')).toBe(18 * concurrency)

    gate.abort()
    await Promise.all(results.map((result) => result.get({ timeout: 20_000 })))
    expect(started).toBe(20 * concurrency)
  })
})
