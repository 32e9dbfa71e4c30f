import { describe, expect, it } from 'vitest'
import type { Redis } from 'ioredis'
import { eventually } from '../support/eventually.js'
import { startLovageWorker } from '../support/lovage-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'
import type { AsyncResult, Celery, CelerySettings, WorkerOptions } from '../../src/index.js'
import type { RunningProcess } from '../support/start-process.js'
import { say } from '../support/say.js'
import { scaled } from '../support/scale.js'

const TASKS = scaled(5000, 100_000)
/** No more than may wait for a connection. */
const AT_ONCE = 5000
const KILLS = 20
const WORKED_WITHIN_MS = scaled(30_000, 300_000)
const LEASE_SECONDS = 2

interface Site {
  readonly app: Celery
  readonly notes: Redis
  readonly startWorker: (options?: WorkerOptions) => Promise<RunningProcess>
}

async function startSite(): Promise<Site> {
  const { url } = await startRedis()
  const settings: CelerySettings = { broker: url, backend: url, workerLease: LEASE_SECONDS }
  return {
    app: testApp(url),
    notes: redisClient(url),
    startWorker: (options) => startLovageWorker(settings, options),
  }
}

/** Ids of the tasks that somebody holds, dead or alive. */
async function heldIds(notes: Redis): Promise<string[]> {
  const records = await notes.hvals('unacked')
  return records.map((record) => (JSON.parse(record) as [{ headers: { id: string } }])[0].headers.id)
}

async function nothingIsLeft(notes: Redis): Promise<void> {
  await eventually(async () => (await notes.exists('celery', 'unacked', 'unacked_index')) === 0)
}

describe('a worker that is killed', () => {
  it(
    'row 4: twenty times over, loses none of thousands of tasks and repeats only what the kills hit',
    async () => {
      const { app, notes, startWorker } = await startSite()
      const options = { concurrency: 20, prefetchMultiplier: 2 }
      const results: AsyncResult[] = []
      while (results.length < TASKS) {
        const some = Array.from({ length: AT_ONCE }, () => app.sendTask('pytasks.count', ['runs']))
        results.push(...(await Promise.all(some)))
      }

      const struck = new Set<string>()
      let killsAmidWork = 0
      let worker = await startWorker(options)
      for (let kill = 1; kill <= KILLS; kill++) {
        // It comes up meanwhile, and takes over.
        const next = startWorker(options)
        const before = await notes.hlen('runs')
        await eventually(async () => (await notes.hlen('runs')) >= before + 50, { intervalMs: 5 })
        await worker.kill()
        for (const id of await heldIds(notes)) struck.add(id)
        if ((await notes.llen('celery')) > 0) killsAmidWork++
        worker = await next
      }

      const values = await Promise.all(results.map((result) => result.get({ timeout: WORKED_WITHIN_MS })))
      expect(values).toEqual(values.map(() => 'lovage'))
      await nothingIsLeft(notes)

      const runs = Object.entries(await notes.hgetall('runs'))
      const repeated = runs.filter(([, count]) => count !== '1')
      const most = Math.max(...runs.map(([, count]) => Number(count)))
      say(
        `${TASKS} tasks, ${killsAmidWork} kills amid work that hit ${struck.size} of them: ${repeated.length} ran ` +
          `again, none more than ${most} times`,
      )
      expect(runs).toHaveLength(TASKS)
      expect(killsAmidWork).toBe(KILLS)
      expect(repeated.length).toBeGreaterThan(0)
      expect(repeated.filter(([id]) => !struck.has(id))).toEqual([])
      expect(await app.broker.deadLetters.count()).toBe(0)
      // Nothing keeps a process alive whose worker has stopped.
      expect(await worker.stop()).toEqual({ code: 0, signal: null })
    },
    150_000 + WORKED_WITHIN_MS,
  )

  it('leaves tasks that wait for their ETA to the others, who run each once and in time', async () => {
    const { app, notes, startWorker } = await startSite()
    const worker = await startWorker()
    const eta = new Date(Date.now() + 3000)
    const sent = Array.from({ length: 50 }, () => app.sendTask('pytasks.count', ['runs'], {}, { eta }))
    const results = await Promise.all(sent)
    // Parked: held by nobody until they are due.
    await eventually(async () => {
      const scores = await notes.zcount('unacked_index', eta.getTime() / 1000 - 0.001, '+inf')
      return scores === 50
    })
    await worker.kill()
    const successor = await startWorker()
    expect(await notes.exists('runs')).toBe(0)

    await Promise.all(results.map((result) => result.get({ timeout: 20_000 })))
    expect(Date.now()).toBeGreaterThanOrEqual(eta.getTime())
    expect(new Set(Object.values(await notes.hgetall('runs')))).toEqual(new Set(['1']))
    await nothingIsLeft(notes)
    await successor.stop()
  })
})

describe('a worker that is frozen past its lease', () => {
  it('is relieved of what it holds, and does no harm when it wakes', async () => {
    const { app, notes, startWorker } = await startSite()
    const options = { concurrency: 2, prefetchMultiplier: 2 }
    const worker = await startWorker(options)
    const sent = [1, 2, 3, 4].map((value) => app.sendTask('pytasks.hold_late', ['held', value]))
    const results = await Promise.all(sent)
    await eventually(async () => (await notes.llen('held:started')) === 2)
    expect(await notes.hlen('unacked')).toBe(4)

    worker.signal('SIGSTOP')
    const successor = await startWorker(options)
    // Two were running there and start a second time, the other two were waiting.
    await eventually(async () => (await notes.llen('held:started')) === 4)
    worker.signal('SIGCONT')
    await notes.rpush('held:release', ...Array.from({ length: 20 }, () => 'go'))

    const values = await Promise.all(results.map((result) => result.get({ timeout: 20_000 })))
    expect(values).toEqual([1, 2, 3, 4])
    await nothingIsLeft(notes)
    expect(await notes.llen('held:started')).toBeLessThanOrEqual(8)
    expect(await app.broker.deadLetters.count()).toBe(0)

    // Both still work.
    const more = Array.from({ length: 200 }, () => app.sendTask('pytasks.count', ['runs']))
    for (const result of await Promise.all(more)) expect(await result.get({ timeout: 20_000 })).toBe('lovage')
    expect(new Set(Object.values(await notes.hgetall('runs')))).toEqual(new Set(['1']))
    expect(await Promise.all([worker.stop(), successor.stop()])).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ])
  })
})
