import { Registry } from 'prom-client'
import { describe, expect, it, vi } from 'vitest'
import { addWorkerMetrics } from '../../../src/api/worker-metrics.js'
import { series } from '../../support/metrics.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { RunningWorker } from '../../../src/index.js'

const WITHIN = { timeout: 10_000, interval: 50 }

/** Every series of a worker, with its labels. */
async function allSeries({ httpPort }: RunningWorker): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text()
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith('celery_') || line.startsWith('lovage_queue'))
  return lines.map((line) => line.slice(0, line.lastIndexOf(' ')))
}

async function health({ httpPort }: RunningWorker): Promise<number> {
  return (await fetch(`http://127.0.0.1:${httpPort}/health`)).status
}

describe('row 29: hosts that come and go', () => {
  it('row 29: make no series of their own where their workers are told so', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    app.task('t', () => null)
    const seen = new Set<string>()
    const counts: number[] = []
    for (let pod = 0; pod < 5; pod++) {
      const options = { httpPort: 0, hostname: `celery@pod-${pod}`, genericHostname: true }
      await using worker = await app.startWorker(options)
      await app.sendTask('t')
      await vi.waitFor(async () => {
        expect(Object.values(await series(worker, 'celery_task_succeeded_total'))).toEqual([1])
      }, WITHIN)
      for (const each of await allSeries(worker)) seen.add(each)
      counts.push(seen.size)
    }
    expect(counts[0]).toBeGreaterThan(10)
    expect(new Set(counts).size).toBe(1)
    expect([...seen].filter((each) => each.includes('pod-'))).toEqual([])
  })

  it('row 29: are told of by the API while they live, then as gone, and after a while no more', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const registry = new Registry()
    let now = 0
    const metrics = addWorkerMetrics(registry, app, { purgeOfflineWorkers: 60, now: () => now })
    const told = async (): Promise<string[]> => {
      await metrics.read()
      return (await registry.metrics()).split('\n').filter((line) => line.startsWith('celery_worker_up{'))
    }
    const series = (host: string, value: 0 | 1): string => `celery_worker_up{hostname="${host}"} ${value}`
    await using _stays = await app.startWorker({ hostname: 'celery@stays' })
    for (let pod = 0; pod < 3; pod++) {
      await using _pod = await app.startWorker({ hostname: `celery@pod-${pod}` })
      now = pod * 1000
      expect(await told()).toContain(series(`pod-${pod}`, 1))
    }
    now = 59_999
    const gone = [0, 1, 2].map((pod) => series(`pod-${pod}`, 0))
    expect(await told()).toEqual(expect.arrayContaining([series('stays', 1), ...gone]))
    now = 61_500
    expect(await told()).toEqual(expect.arrayContaining([series('stays', 1), series('pod-2', 0)]))
    now = 62_000
    expect(await told()).toEqual([series('stays', 1)])
  })

  it('row 29: /health fails when a scrape does, and both are well again after Redis was away', async () => {
    const server = await startRedis()
    const app = testApp(server.url)
    await using worker = await app.startWorker({ httpPort: 0 })
    const lengths = (): Promise<Record<string, number>> => series(worker, 'celery_queue_length')
    await vi.waitFor(async () => expect(await lengths()).toEqual({ '{queue_name="celery"}': 0 }), WITHIN)
    expect(await health(worker)).toBe(200)
    await server.process.kill()
    expect(await lengths()).toEqual({})
    expect(await series(worker, 'lovage_scrape_errors')).toEqual({ '': 2 })
    expect(await health(worker)).toBe(503)
    await server.restart()
    await vi.waitFor(async () => expect(await lengths()).toEqual({ '{queue_name="celery"}': 0 }), WITHIN)
    expect(await health(worker)).toBe(200)
  })
})
