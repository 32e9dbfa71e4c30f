import { describe, expect, it } from 'vitest'
import type { Redis } from 'ioredis'
import { eventually } from '../support/eventually.js'
import { spawnLovageWorker } from '../support/lovage-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'
import type { AsyncResult, Celery, CelerySettings, DeadLetter } from '../../src/index.js'
import type { RunningProcess } from '../support/start-process.js'

const MAX_DELIVERIES = 3

interface Site {
  readonly app: Celery
  readonly notes: Redis
  readonly startWorker: () => RunningProcess
}

async function startSite(settings: CelerySettings = {}): Promise<Site> {
  const { url } = await startRedis()
  const all = { broker: url, backend: url, workerLease: 1, taskMaxDeliveries: MAX_DELIVERIES, ...settings }
  return {
    app: testApp(url),
    notes: redisClient(url),
    startWorker: () => spawnLovageWorker(all, { concurrency: 4, prefetchMultiplier: 8 }),
  }
}

/** Start workers one after the other, as a supervisor does, until these tasks are done. @returns how many died. */
async function supervise({ notes, startWorker }: Site, results: readonly AsyncResult[]): Promise<number> {
  const isDone = async (): Promise<boolean> => {
    const states = await Promise.all(results.map((result) => result.ready()))
    return states.every(Boolean) && (await notes.exists('celery', 'unacked', 'unacked_index')) === 0
  }
  for (let deaths = 0; deaths <= 2 * MAX_DELIVERIES; deaths++) {
    const worker = startWorker()
    const done = eventually(isDone, { timeoutMs: 30_000 })
    const ended = await Promise.race([worker.exit, done])
    if (ended === true) {
      expect(await worker.stop()).toEqual({ code: 0, signal: null })
      return deaths
    }
    done.catch(() => undefined)
    expect(ended).toEqual({ code: null, signal: 'SIGKILL' })
  }
  throw new Error('an endless crash loop')
}

describe('a task that kills its worker', () => {
  it('row 20: is set aside after taskMaxDeliveries deliveries, and takes nothing along that waits beside it', async () => {
    const site = await startSite()
    const { app, notes } = site
    // More than it has slots for, before and behind it.
    const others = []
    for (let i = 0; i < 15; i++) others.push(await app.sendTask('pytasks.count', ['runs']))
    const poison = await app.sendTask('poison.kill', ['poisoned'])
    for (let i = 0; i < 15; i++) others.push(await app.sendTask('pytasks.count', ['runs']))

    expect(await supervise(site, [poison, ...others])).toBe(MAX_DELIVERIES)
    expect(await notes.get('poisoned')).toBe(String(MAX_DELIVERIES))
    await expect(poison.get({ timeout: 10_000 })).rejects.toMatchObject({ excType: 'WorkerLostError' })
    const letters = await app.deadLetters.list()
    expect(letters.map(({ task }) => task)).toEqual(['poison.kill'])
    const [letter] = letters as [DeadLetter]
    expect(letter).toMatchObject({
      code: 'TOO_MANY_DELIVERIES',
      task: 'poison.kill',
      taskId: poison.id,
      deliveries: MAX_DELIVERIES + 1,
    })
    expect(letter.history.map(({ cause }) => cause)).toEqual(letter.history.map(() => 'WORKER_LOST'))
    // The first loss is counted though nobody knows; from then on its beginning is noted.
    expect(letter.history.map(({ hasBegun }) => hasBegun)).toEqual([false, true, true])

    const values = await Promise.all(others.map((result) => result.get({ timeout: 20_000 })))
    expect(values).toEqual(values.map(() => 'lovage'))
  })

  it('is not run again with rejectOnWorkerLost false, and its message is not acknowledged in silence', async () => {
    const site = await startSite()
    const poison = await site.app.sendTask('poison.kill_once', ['poisoned'])

    expect(await supervise(site, [poison])).toBe(1)
    expect(await site.notes.get('poisoned')).toBe('1')
    await expect(poison.get({ timeout: 10_000 })).rejects.toMatchObject({
      excType: 'WorkerLostError',
      excMessage: [
        expect.stringMatching(/^Worker exited prematurely: celery@.+ was lost while it ran poison/),
      ],
    })
    const [letter] = await site.app.deadLetters.list()
    expect(letter).toMatchObject({ code: 'WORKER_LOST', taskId: poison.id, deliveries: 2 })
  })

  it('is not run again by the setting taskRejectOnWorkerLost false; what only waited beside it is', async () => {
    const site = await startSite({ taskRejectOnWorkerLost: false })
    const { app, notes } = site
    const poison = await app.sendTask('poison.kill', ['poisoned'])
    const others = []
    for (let i = 0; i < 10; i++) others.push(await app.sendTask('pytasks.count', ['runs']))

    expect(await supervise(site, [poison, ...others])).toBe(1)
    await expect(poison.get({ timeout: 10_000 })).rejects.toMatchObject({ excType: 'WorkerLostError' })
    // Those that had begun at the same time share its fate; at most one for each slot.
    const states = await Promise.all(others.map((result) => result.state()))
    expect(states.filter((state) => state === 'SUCCESS').length).toBeGreaterThanOrEqual(6)
    const failed = states.filter((state) => state === 'FAILURE').length
    expect(await app.deadLetters.count()).toBeGreaterThan(failed)
    expect(await notes.get('poisoned')).toBe('1')
  })
})
