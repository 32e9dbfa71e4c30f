import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { startLovageWorker } from '../support/lovage-worker.js'
import { testApp } from '../support/test-app.js'
import type { Celery, CelerySettings } from '../../src/index.js'
import type { Redis } from 'ioredis'
import type { RunningProcess } from '../support/start-process.js'

interface Site {
  readonly app: Celery
  readonly notes: Redis
  readonly startWorker: () => Promise<RunningProcess>
  readonly ids: (key: string) => Promise<string[]>
}

async function startSite(settings: CelerySettings): Promise<Site> {
  const { url } = await startRedis()
  const notes = redisClient(url)
  const all = { ...settings, broker: url, backend: url, workerLease: 1 }
  return {
    app: testApp(url, settings),
    notes,
    startWorker: () => startLovageWorker(all, { concurrency: 10 }),
    ids: (key) => notes.lrange(`${key}:started`, 0, -1),
  }
}

describe('row 24: a unique call whose worker is killed', () => {
  it('stays the only one until it has run again, and frees its key then', async () => {
    const { app, notes, startWorker, ids } = await startSite({})
    const call = () => app.sendTask('pytasks.hold_late', ['job', null], {}, { unique: { key: 'job' } })
    const worker = await startWorker()
    const first = await call()
    await eventually(async () => (await ids('job')).length === 1)
    await worker.kill()
    expect((await call()).id).toBe(first.id)
    await startWorker()
    await eventually(async () => (await ids('job')).length === 2)
    expect((await call()).id).toBe(first.id)
    await notes.lpush('job:release', '')
    await first.get({ timeout: 20_000 })
    expect(await ids('job')).toEqual([first.id, first.id])
    expect((await call()).id).not.toBe(first.id)
  })
})

describe('row 23: a concurrency limit of 3', () => {
  it('is not exceeded when a worker is killed, and its slots are free when its lease is over', async () => {
    const { app, notes, startWorker, ids } = await startSite({
      taskAnnotations: { 'pytasks.hold_late': { concurrencyLimit: 3 } },
    })
    const results = await Promise.all(
      Array.from({ length: 6 }, () => app.sendTask('pytasks.hold_late', ['c', null])),
    )
    const first = await startWorker()
    await eventually(async () => (await ids('c')).length === 3)
    await first.kill()
    const second = await startWorker()
    await eventually(async () => (await ids('c')).length === 6)
    // Whatever would exceed the limit would start at once; the others have been refused since.
    expect(second.output()).not.toContain('could not')
    expect(await notes.zcard('lovage.slots.task:pytasks.hold_late')).toBe(3)
    expect(await ids('c')).toHaveLength(6)
    await notes.lpush('c:release', ...Array.from({ length: 6 }, () => ''))
    for (const result of results) await result.get({ timeout: 20_000 })
    expect(new Set(await ids('c'))).toEqual(new Set(results.map(({ id }) => id)))
  })
})
