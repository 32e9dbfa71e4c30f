import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { startBeat } from '../../../src/beat/start-beat.js'
import { buildServer } from '../../../src/api/build-server.js'
import type { Celery } from '../../../src/index.js'
import { every, UniqueConflictError, type AppOptions, type UniqueOptions } from '../../../src/index.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { recordingLog } from '../../support/recording-log.js'
import { testApp } from '../../support/test-app.js'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

let sites = 0
interface Site {
  readonly app: Celery
  readonly runs: string[]
  readonly startWorker: () => Promise<void>
}

function siteOf(
  kind: 'Redis' | 'memory',
  unique: UniqueOptions | boolean = true,
  options: AppOptions = {},
): Site {
  const prefix = `unique${++sites}:`
  const settings = { brokerTransportOptions: { globalKeyprefix: prefix }, ...options }
  const app = testApp(kind === 'Redis' ? server.url : 'memory://', settings)
  const runs: string[] = []
  app.task('sync', { unique, bind: true }, (task, name: string) => {
    runs.push(name)
    if (name === 'fail') throw new Error('no')
    if (name === 'again' && task.request.retries === 0) throw task.retry({ countdown: 0.2 })
    return name
  })
  const startWorker = async (): Promise<void> => {
    const worker = await app.startWorker()
    onTestFinished(() => worker.stop())
  }
  return { app, runs, startWorker }
}

const call = (app: Celery, name: string, unique?: UniqueOptions | boolean) =>
  app.sendTask('sync', [name], {}, unique === undefined ? {} : { unique })
const ended = async (app: Celery, name: string): Promise<unknown> =>
  (await call(app, name)).get({ timeout: 10_000, propagate: false })

describe.each(['Redis', 'memory'] as const)('row 24: a unique call on %s', (kind) => {
  it('is sent once while it waits or runs, and returns the id of the first', async () => {
    const { app, runs, startWorker } = siteOf(kind)
    const first = await call(app, 'a')
    expect((await call(app, 'a')).id).toBe(first.id)
    const other = await call(app, 'b')
    expect(other.id).not.toBe(first.id)
    await startWorker()
    expect(await first.get({ timeout: 10_000 })).toBe('a')
    expect(await other.get({ timeout: 10_000 })).toBe('b')
    expect(runs.toSorted()).toEqual(['a', 'b'])
  })

  it('may be sent again as soon as its result is seen, also of a failure', async () => {
    const { app, runs, startWorker } = siteOf(kind)
    await startWorker()
    for (const name of ['a', 'fail', 'a', 'fail']) await ended(app, name)
    expect(runs).toEqual(['a', 'fail', 'a', 'fail'])
  })

  it('keeps its key while it is retried', async () => {
    const { app, runs, startWorker } = siteOf(kind)
    await startWorker()
    const first = await call(app, 'again')
    await vi.waitFor(() => expect(runs).toHaveLength(1))
    expect((await call(app, 'again')).id).toBe(first.id)
    expect(await first.get({ timeout: 10_000 })).toBe('again')
    expect(runs).toEqual(['again', 'again'])
    expect((await call(app, 'again')).id).not.toBe(first.id)
  })

  it('has the key that it gives, until its ttl at the latest', async () => {
    const { app } = siteOf(kind)
    const unique = { key: 'daily', ttl: 0.5 }
    const first = await call(app, 'a', unique)
    expect((await call(app, 'b', unique)).id).toBe(first.id)
    await vi.waitFor(async () => expect((await call(app, 'b', unique)).id).not.toBe(first.id), {
      timeout: 5000,
    })
  })

  it('may be one until it starts only', async () => {
    const { app, startWorker } = siteOf(kind)
    let [release, starts] = [(): void => undefined, 0]
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const hold = app.task('hold', { unique: { until: 'start' } }, () => {
      starts++
      return held
    })
    const first = await hold.delay()
    expect((await hold.delay()).id).toBe(first.id)
    await startWorker()
    await vi.waitFor(() => expect(starts).toBe(1), { timeout: 10_000 })
    expect((await hold.delay()).id).not.toBe(first.id)
    release()
    await vi.waitFor(() => expect(starts).toBe(2), { timeout: 10_000 })
  })

  it('that conflicts can be an error, which names the other', async () => {
    const { app } = siteOf(kind)
    const first = await call(app, 'a')
    const error: unknown = await call(app, 'a', { onConflict: 'error' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UniqueConflictError)
    expect(error).toMatchObject({ code: 'UNIQUE_CONFLICT', taskId: first.id })
  })

  it('may replace the one that waits, which does not run then', async () => {
    const { app, runs, startWorker } = siteOf(kind, { onConflict: 'replace', key: 'one' })
    const first = await call(app, 'a')
    const later = await app.sendTask('sync', ['b'], {}, { countdown: 3600 })
    const last = await call(app, 'c')
    expect(new Set([first.id, later.id, last.id]).size).toBe(3)
    await startWorker()
    expect(await last.get({ timeout: 10_000 })).toBe('c')
    for (const { id } of [first, later]) {
      await expect(app.asyncResult(id).get({ timeout: 10_000 })).rejects.toMatchObject({
        excType: 'TaskRevokedError',
      })
    }
    expect(runs).toEqual(['c'])
    expect((await call(app, 'd', { key: 'one', onConflict: 'error' })).id).toBeTruthy()
  })

  it('of many that replace each other at once, is one', async () => {
    const { app, runs, startWorker } = siteOf(kind, { onConflict: 'replace', key: 'one' })
    await Promise.all(Array.from({ length: 5 }, (_, i) => call(app, String(i))))
    const last = await call(app, 'last', { onConflict: 'drop', key: 'one' })
    await startWorker()
    await last.get({ timeout: 10_000 })
    await vi.waitFor(async () => expect(await app.broker.queueLength('celery')).toBe(0), { timeout: 10_000 })
    expect(runs).toHaveLength(1)
  })

  it('frees its key when it is revoked, also before its time', async () => {
    const { app } = siteOf(kind)
    const { id } = await app.sendTask('sync', ['a'], {}, { countdown: 3600 })
    expect((await call(app, 'a')).id).toBe(id)
    await app.control.revoke(id)
    const next = await call(app, 'a', { onConflict: 'error' })
    expect(next.id).not.toBe(id)
    expect((await call(app, 'a')).id).toBe(next.id)
  })

  it('frees its key where it expires or is unknown', async () => {
    const { app, startWorker } = siteOf(kind)
    await startWorker()
    const expired = await app.sendTask('sync', ['a'], {}, { expires: -1 })
    await expired.get({ timeout: 10_000, propagate: false })
    expect((await call(app, 'a')).id).not.toBe(expired.id)
    const unknown = await app.sendTask('nobody', [], {}, { unique: true })
    await unknown.get({ timeout: 10_000, propagate: false })
    expect((await app.sendTask('nobody', [], {}, { unique: true })).id).not.toBe(unknown.id)
  })

  it('of the same arguments is the same in whatever order their members are', async () => {
    const { app } = siteOf(kind)
    const send = (kwargs: Record<string, unknown>) => app.sendTask('sync', [{ b: 1, a: 2 }], kwargs)
    const first = await send({ x: 1, y: new Date(0) })
    expect((await app.sendTask('sync', [{ a: 2, b: 1 }], { y: new Date(0), x: 1 })).id).toBe(first.id)
    expect((await send({ x: 1, y: new Date(1) })).id).not.toBe(first.id)
  })

  it('is sent as a part of a canvas in any case: what follows it would be lost', async () => {
    const { app, runs, startWorker } = siteOf(kind)
    await call(app, 'a')
    const signature = app.signature('sync', { args: ['a'] })
    await signature.applyAsync()
    await startWorker()
    await vi.waitFor(() => expect(runs).toEqual(['a', 'a']), { timeout: 10_000 })
  })

  it('that cannot be written takes no key', async () => {
    const { app } = siteOf(kind, { key: 'one' })
    await expect(call(app, Symbol('none') as never)).rejects.toThrow()
    expect((await call(app, 'a', { key: 'one', onConflict: 'error' })).id).toBeTruthy()
  })
})

describe('row 24: a unique call', () => {
  it('is one from beat and over HTTP as well', async () => {
    const { app } = siteOf('Redis', { key: 'same' })
    app.addPeriodicTask(every(0.1), app.signature('sync', { args: ['beat'] }), { name: 'often' })
    const beat = await startBeat(app)
    onTestFinished(() => beat.stop())
    await vi.waitFor(async () => expect(await app.broker.queueLength('celery')).toBe(1), { timeout: 10_000 })
    const first = await call(app, 'any')
    const http = await buildServer({ app, allowedTasks: ['sync'] } as never)
    onTestFinished(() => http.close())
    const answer = await http.inject({ method: 'POST', url: '/api/tasks/sync', payload: { args: ['http'] } })
    expect(answer.json()).toMatchObject({ task_id: first.id })
    expect(await app.broker.queueLength('celery')).toBe(1)
    app.task('strict', { unique: { onConflict: 'error' } }, () => 1)
    const strict = await app.sendTask('strict')
    const refused = await http.inject({ method: 'POST', url: '/api/tasks/strict', payload: {} })
    expect(refused.statusCode).toBe(409)
    expect(refused.json()).toMatchObject({
      error: { code: 'UNIQUE_CONFLICT', details: { task_id: strict.id } },
    })
  })

  it('from beat is left out without a fault while another waits', async () => {
    const log = recordingLog()
    const lines = () => log.lines.map(({ message }) => message)
    const { app } = siteOf('Redis', { key: 'same', onConflict: 'error' }, { log })
    const first = await call(app, 'a')
    app.addPeriodicTask(every(0.1), app.signature('sync', { args: ['beat'] }), { name: 'often' })
    const beat = await startBeat(app)
    onTestFinished(() => beat.stop())
    const left = `entry often is not sent: a call of sync that is the same waits or runs already: ${first.id}`
    await vi.waitFor(() => expect(lines().filter((line) => line === left).length).toBeGreaterThan(2), {
      timeout: 10_000,
    })
    expect(lines()).not.toContain('beat could not run the entry; trying again')
    expect(await app.broker.queueLength('celery')).toBe(1)
  })

  it('is refused where Redis cannot be asked, as any other that cannot be sent', async () => {
    const { app } = siteOf('Redis', true, { broker: 'redis://127.0.0.1:1', publishTimeoutMs: 200 })
    await expect(call(app, 'a')).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', mayHaveBeenSent: false })
  })

  it('row 11: leaves nothing behind when it has ended', async () => {
    const { app, startWorker } = siteOf('Redis')
    await startWorker()
    await ended(app, 'a')
    const redis = redisClient(server.url)
    expect(await redis.keys(`unique${sites}:lovage.unique.*`)).toEqual([])
  })
})
