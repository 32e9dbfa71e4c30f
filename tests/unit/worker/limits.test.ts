import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { recordingLog } from '../../support/recording-log.js'
import { Celery, type AppOptions, type RunningWorker } from '../../../src/index.js'

/** On a busy machine, too. */
const soon = <T>(check: () => T): Promise<T> => vi.waitFor(check, { timeout: 4000 })

interface Site {
  readonly app: Celery
  /** When tasks started, by the value that they were called with. */
  readonly starts: { readonly value: string; readonly at: number }[]
  readonly worker: (concurrency?: number) => Promise<RunningWorker>
}

function memorySite(options: AppOptions = {}): Site {
  const app = new Celery('limits', { broker: 'memory://', backend: 'memory://', ...options })
  onTestFinished(() => app.close())
  const starts: Site['starts'] = []
  const note = (value: string): void => void starts.push({ value, at: performance.now() })
  app.task('limited', { rateLimit: '10/s' }, note)
  app.task('slow', { rateLimit: '1/h' }, note)
  app.task('free', note)
  return {
    app,
    starts,
    async worker(concurrency = 1) {
      const worker = await app.startWorker({ concurrency, prefetchMultiplier: 1 })
      onTestFinished(() => worker.stop())
      return worker
    },
  }
}

const send = (app: Celery, task: string, count: number): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, i) => app.sendTask(task, [`${task}${i}`])))

describe('a rate limit', () => {
  it('lets calls start evenly', async () => {
    const { app, starts, worker } = memorySite()
    await worker()
    await send(app, 'limited', 8)
    await soon(() => expect(starts).toHaveLength(8))
    const took = (starts.at(-1)?.at ?? 0) - (starts[0]?.at ?? 0)
    expect(took).toBeGreaterThan(650)
    expect(starts.map(({ value }) => value)).toEqual(Array.from({ length: 8 }, (_, i) => `limited${i}`))
  })

  it('holds up no other task, though the worker has one slot and prefetches one message', async () => {
    const { app, starts, worker } = memorySite()
    await send(app, 'slow', 100)
    await send(app, 'free', 3)
    const running = await worker()
    await soon(() => expect(starts.map(({ value }) => value)).toEqual(['slow0', 'free0', 'free1', 'free2']))
    expect(running.counts()).toMatchObject({ active: 0, reserved: 0 })
  })

  it('that is changed holds from then on, and null ends it', async () => {
    const { app, starts, worker } = memorySite()
    const running = await worker()
    running.setRateLimit('limited', null)
    await send(app, 'limited', 50)
    await soon(() => expect(starts).toHaveLength(50))
    running.setRateLimit('free', '1/h')
    await send(app, 'free', 2)
    await soon(() => expect(starts).toHaveLength(51))
    expect(() => running.setRateLimit('free', 'often')).toThrow('expected a rate such as "10/s"')
    expect(() => running.setRateLimit('nobody', 1)).toThrow(
      'expected a task of this worker, got string "nobody"',
    )
  })

  it('is paid no heed where rate limits are disabled', async () => {
    const { app, starts, worker } = memorySite({ workerDisableRateLimits: true })
    const running = await worker()
    await send(app, 'slow', 5)
    await soon(() => expect(starts).toHaveLength(5))
    expect(() => running.setRateLimit('free', 1)).toThrow('workerDisableRateLimits')
  })

  it('of all tasks is a setting', async () => {
    const { app, starts, worker } = memorySite({ taskDefaultRateLimit: '1/h' })
    await worker()
    await send(app, 'free', 2)
    await soon(() => expect(starts).toHaveLength(1))
    await send(app, 'limited', 2)
    await soon(() => expect(starts).toHaveLength(3))
    expect(starts.map(({ value }) => value)).toEqual(['free0', 'limited0', 'limited1'])
  })

  it('gives back at a stop what waits for it', async () => {
    const { app, starts, worker } = memorySite()
    const running = await worker()
    await send(app, 'limited', 5)
    await soon(() => expect(starts).toHaveLength(1))
    await running.stop()
    const left = 5 - starts.length
    expect(left).toBeGreaterThan(0)
    expect(await app.broker.queueLength('celery')).toBe(left)
  })
})

describe('a concurrency limit', () => {
  it('counts by key, holds no slot of the pool, and starves no other key', async () => {
    const { app } = memorySite()
    const running = new Map<string, number>()
    let most = 0
    const ended: string[] = []
    const byTenant = { concurrencyLimit: 2, concurrencyKey: (args: readonly unknown[]) => String(args[0]) }
    const work = app.task('work', byTenant, async (tenant: string) => {
      const now = (running.get(tenant) ?? 0) + 1
      running.set(tenant, now)
      most = Math.max(most, now)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running.set(tenant, (running.get(tenant) ?? 0) - 1)
      ended.push(tenant)
    })
    for (let i = 0; i < 60; i++) await work.delay('large')
    await work.delay('small')
    const worker = await app.startWorker({ concurrency: 4, prefetchMultiplier: 1 })
    onTestFinished(() => worker.stop())
    await soon(() => expect(ended).toContain('small'))
    expect(ended.length).toBeLessThan(40)
    await soon(() => expect(ended).toHaveLength(61))
    expect(most).toBe(2)
  })

  it('does not hold where its key fails, which is logged', async () => {
    const log = recordingLog()
    const { app } = memorySite({ log })
    const fails = (): never => {
      throw new Error('no key')
    }
    app.task('sums', { concurrencyLimit: 1, concurrencyKey: fails }, () => 'ran')
    app.task('rates', { rateLimit: { limit: 1, per: 'h', key: fails } }, () => 'ran')
    const worker = await app.startWorker()
    onTestFinished(() => worker.stop())
    for (const task of ['sums', 'rates', 'rates']) {
      expect(await (await app.sendTask(task)).get({ timeout: 3000 })).toBe('ran')
      expect(log.lines.map(({ message }) => message)).toContain(
        `the key of a limit of ${task} failed; it runs without the limit`,
      )
    }
  })

  it('does not hold where its key says that there is none', async () => {
    const { app } = memorySite()
    let [running, most] = [0, 0]
    const options = { concurrencyLimit: 1, concurrencyKey: () => undefined }
    const work = app.task('work', options, async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running--
    })
    const worker = await app.startWorker({ concurrency: 4 })
    onTestFinished(() => worker.stop())
    const results = await Promise.all([work.delay(), work.delay(), work.delay()])
    for (const result of results) await result.get({ timeout: 3000 })
    expect(most).toBe(3)
  })
})
