import { describe, expect, it } from 'vitest'
import type { Redis } from 'ioredis'
import type { Celery, RunningWorker, WorkerOptions } from '../../src/index.js'
import { atTestEnd } from '../support/at-test-end.js'
import { celeryGenerations } from '../support/celery-generations.js'
import { eventually } from '../support/eventually.js'
import { startLovageWorker } from '../support/lovage-worker.js'
import { startPythonClient } from '../support/python-client.js'
import { startPythonWorker } from '../support/python-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { registerSharedTasks } from '../support/shared-tasks.js'
import { testApp } from '../support/test-app.js'

/** As short as it can be: nobody waits for an hour until a dead worker's messages are restored. */
const VISIBILITY_SECONDS = 1
const LEASE_SECONDS = 1

describe.each(celeryGenerations)('one queue for Lovage and $name', ({ python }) => {
  async function start(): Promise<{ url: string; notes: Redis; app: Celery; settings: PythonSettings }> {
    const { url } = await startRedis()
    const app = testApp(url, { workerLease: LEASE_SECONDS, brokerTransportOptions: transportOptions })
    const notes = redisClient(url)
    registerSharedTasks(app, notes)
    const conf = { broker_transport_options: { visibility_timeout: VISIBILITY_SECONDS } }
    return { url, notes, app, settings: { broker: url, python, conf } }
  }

  it('divides 2,000 tasks, and runs each once', async () => {
    const { notes, app, settings } = await start()
    await using client = startPythonClient(settings)
    const [pythonWorker] = await Promise.all([
      startPythonWorker({ ...settings, conf: {}, concurrency: 2 }),
      startWorker(app, { concurrency: 4, prefetchMultiplier: 1 }),
    ])

    const bySender = await Promise.all([
      Promise.all(
        Array.from({ length: 1000 }, async () => (await app.sendTask('pytasks.count', ['runs'])).id),
      ),
      client.evaluate(`[count.delay('runs').id for _ in range(1000)]`) as Promise<string[]>,
    ])
    const ids = bySender.flat()
    const runners = await Promise.all(ids.map((id) => app.asyncResult<string>(id).get({ timeout: 60_000 })))

    const share = { lovage: 0, python: 0 }
    for (const runner of runners) share[runner as keyof typeof share]++
    expect(share.lovage + share.python).toBe(2000)
    expect(Math.min(share.lovage, share.python)).toBeGreaterThan(50)
    const runs = await notes.hgetall('runs')
    expect(Object.keys(runs).toSorted()).toEqual(ids.toSorted())
    expect(Object.values(runs).filter((count) => count !== '1')).toEqual([])

    await eventually(async () => (await notes.exists('celery', 'unacked', 'unacked_index')) === 0)
    await pythonWorker.kill()
  })

  it('runs at Lovage what a killed Python worker held', async () => {
    const { notes, app, settings } = await start()
    const pythonWorker = await startPythonWorker({ ...settings, args: ['--prefetch-multiplier', '3'] })
    const results = await Promise.all(
      [1, 2, 3, 4, 5].map((value) => app.sendTask('pytasks.hold_late', ['held', value])),
    )
    // One runs, two more are reserved.
    await eventually(
      async () => (await notes.llen('held:started')) === 1 && (await notes.llen('celery')) === 2,
    )
    expect(await notes.hlen('unacked')).toBe(3)
    await pythonWorker.kill()

    await release(notes, 2 * results.length)
    await startWorker(app)
    const values = await Promise.all(results.map((result) => result.get({ timeout: 20_000 })))
    expect(values).toEqual([1, 2, 3, 4, 5])
    // The one that the kill hit has run twice, no other.
    expect(await notes.llen('held:started')).toBe(6)
    await eventually(async () => (await notes.exists('celery', 'unacked', 'unacked_index')) === 0)
  })

  it('runs at Python what a killed Lovage worker held', async () => {
    const { url, notes, app, settings } = await start()
    const appSettings = {
      broker: url,
      backend: url,
      workerLease: LEASE_SECONDS,
      brokerTransportOptions: transportOptions,
    }
    const lovageWorker = await startLovageWorker(appSettings, { concurrency: 2, prefetchMultiplier: 2 })
    const results = await Promise.all(
      [1, 2, 3, 4, 5].map((value) => app.sendTask('pytasks.hold_late', ['held', value])),
    )
    await eventually(
      async () => (await notes.llen('held:started')) === 2 && (await notes.llen('celery')) === 1,
    )
    expect(await notes.hlen('unacked')).toBe(4)
    await lovageWorker.kill()

    await release(notes, 2 * results.length)
    await using client = startPythonClient(settings)
    const pythonWorker = await startPythonWorker(settings)
    const values = Promise.all(results.map((result) => result.get({ timeout: 20_000 })))
    // A worker sweeps when it starts, and then every 100 seconds.
    const sweeping = eventually(async () => {
      await client.evaluate('pytasks.sweep()')
      return (await notes.llen('held:started')) === 7
    })
    expect(await values).toEqual([1, 2, 3, 4, 5])
    await sweeping
    // It logs a success after it stored the result.
    await eventually(() => pythonWorker.log().match(/succeeded/g)?.length === 5)
    await eventually(async () => (await notes.exists('celery', 'unacked', 'unacked_index')) === 0)

    // The next Lovage worker finds the lease of the dead one, and nothing to restore by it.
    await startWorker(app)
    await eventually(async () => (await notes.keys('lovage.held.*')).length === 0)
    expect(await notes.llen('held:started')).toBe(7)
  })

  it('row 1: runs a task once that lasts longer than the visibility timeout of its Python peers', async () => {
    const { notes, app, settings } = await start()
    await using client = startPythonClient(settings)
    const worker = await startWorker(app)
    const result = await app.sendTask('pytasks.hold_late', ['held', 'done'])
    await eventually(() => notes.llen('held:started'))
    await startPythonWorker(settings)

    const until = Date.now() + 3000 * VISIBILITY_SECONDS
    while (Date.now() < until) await client.evaluate('pytasks.sweep()')
    expect(await notes.llen('held:started')).toBe(1)
    await notes.rpush('held:release', 'go')
    expect(await result.get({ timeout: 20_000 })).toBe('done')
    expect(worker.counts()).toMatchObject({ started: 1, succeeded: 1 })
    expect(await notes.llen('held:started')).toBe(1)
  })

  it('row 1: runs a task once whose ETA is further away than the visibility timeout', async () => {
    const { notes, app, settings } = await start()
    await using client = startPythonClient(settings)
    const worker = await startWorker(app)
    const eta = new Date(Date.now() + 4000)
    const result = await app.sendTask('pytasks.record', ['ran', 'once'], {}, { eta })
    await eventually(
      async () => Number(await notes.zscore('unacked_index', await tagOf(notes))) > Date.now() / 1000,
    )
    const pythonWorker = await startPythonWorker(settings)

    while (Date.now() < eta.getTime()) {
      await client.evaluate('pytasks.sweep()')
      if (Date.now() < eta.getTime()) expect(await notes.llen('ran')).toBe(0)
    }
    expect(await result.get({ timeout: 20_000 })).toBe('once')
    await client.evaluate('pytasks.sweep()')
    expect(await notes.llen('ran')).toBe(1)
    expect(worker.counts().succeeded).toBe(1)
    expect(pythonWorker.log()).not.toContain(result.id)
  })
})

interface PythonSettings {
  readonly broker: string
  readonly python: string
  readonly conf: Readonly<Record<string, unknown>>
}

const transportOptions = { visibilityTimeout: VISIBILITY_SECONDS }

async function startWorker(app: Celery, options?: WorkerOptions): Promise<RunningWorker> {
  const worker = await app.startWorker(options)
  atTestEnd(() => worker.stop())
  return worker
}

/** More than there are tasks: the server may still take a killed process for one that waits. */
async function release(notes: Redis, times: number): Promise<void> {
  await notes.rpush('held:release', ...Array.from({ length: times }, () => 'go'))
}

/** Of the only message that is unacknowledged. */
async function tagOf(redis: Redis): Promise<string> {
  const [tag = ''] = await redis.hkeys('unacked')
  return tag
}
