import path from 'node:path'
import { readFile } from 'node:fs/promises'
import { describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { eventually } from '../../support/eventually.js'
import { recordingLog } from '../../support/recording-log.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { tempDir } from '../../support/temp-dir.js'
import { testApp } from '../../support/test-app.js'
import type { AppOptions, Celery, RunningWorker, WorkerOptions } from '../../../src/index.js'

const TIMEOUT = 10_000

interface Site {
  readonly app: Celery
  readonly runs: string[]
  readonly aborted: string[]
}

function shop(url: string, settings: AppOptions = {}): Site {
  const app = testApp(url, settings)
  const site: Site = { app, runs: [], aborted: [] }
  app.task('note', (what: string) => void site.runs.push(what))
  app.task('wait', { bind: true }, async (task, what: string) => {
    site.runs.push(what)
    await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
    site.aborted.push(what)
  })
  return site
}

async function start(app: Celery, options: WorkerOptions = {}): Promise<RunningWorker> {
  const worker = await app.startWorker({ hostname: 'w@here', ...options })
  atTestEnd(() => worker.stop())
  return worker
}

const revoked = { excType: 'TaskRevokedError', message: 'TaskRevokedError: revoked' }

describe('row 25: revocation', () => {
  it('row 25: what is revoked while all workers are down is not run later, and a chord learns of it', async () => {
    const { url } = await startRedis()
    const { app, runs } = shop(url)
    const one = await app.sendTask('note', ['one'])
    const two = await app.sendTask('note', ['two'])
    await one.revoke()
    await start(app)
    await expect(one.get({ timeout: TIMEOUT })).rejects.toMatchObject(revoked)
    await two.get({ timeout: TIMEOUT })
    expect(runs).toEqual(['two'])
  })

  it('row 25: a running task’s signal aborts within a second, and its result says that it was terminated', async () => {
    const { url } = await startRedis()
    const { app, runs, aborted } = shop(url)
    await start(app)
    const result = await app.sendTask('wait', ['running'])
    await vi.waitFor(() => expect(runs).toEqual(['running']), TIMEOUT)
    const from = performance.now()
    await app.control.terminate(result.id)
    await expect(result.get({ timeout: TIMEOUT })).rejects.toMatchObject({ excType: 'TaskRevokedError' })
    await vi.waitFor(() => expect(aborted).toEqual(['running']))
    expect(performance.now() - from).toBeLessThan(1000)
    await vi.waitFor(async () =>
      expect((await result.info()) as object).toMatchObject({ exc_message: ['terminated'] }),
    )
    expect(await redisClient(url).hlen('unacked')).toBe(0)
  })

  it('stores REVOKED at once, also of what waits for its ETA, which then does not run', async () => {
    const { url } = await startRedis()
    const { app, runs } = shop(url)
    await start(app)
    const redis = redisClient(url)
    const later = await app.sendTask('note', ['later'], {}, { countdown: 1.5 })
    await eventually(() => redis.zcard('lovage.parked.celery'))
    await later.revoke()
    await expect(later.get({ timeout: 1000 })).rejects.toMatchObject(revoked)
    await eventually(async () => (await redis.hlen('unacked')) === 0)
    expect(runs).toEqual([])
  })

  it('does not begin what waits for a slot', async () => {
    const { url } = await startRedis()
    const { app, runs } = shop(url)
    await start(app, { concurrency: 1, prefetchMultiplier: 4 })
    const running = await app.sendTask('wait', ['running'])
    const waiting = await app.sendTask('note', ['waiting'])
    const last = await app.sendTask('note', ['last'])
    await eventually(async () => {
      const replies = await app.control.inspect().reserved()
      return (replies['w@here'] as readonly unknown[]).length === 2
    })
    await app.control.revoke(waiting.id, { reply: true })
    await app.control.terminate(running.id)
    await last.get({ timeout: TIMEOUT })
    expect(runs).toEqual(['running', 'last'])
  })

  it('goes by stamped headers as well', async () => {
    const { url } = await startRedis()
    const { app, runs } = shop(url)
    const stamped = { stamps: { tenant: ['a', 'b'] }, stampedHeaders: ['tenant'] }
    const early = await app.sendTask('note', ['early'], {}, stamped)
    await expect(app.control.revokeByStampedHeaders('b' as never)).rejects.toThrow('headers: expected names')
    await app.control.revokeByStampedHeaders({ tenant: 'b' })
    await start(app)
    await expect(early.get({ timeout: TIMEOUT })).rejects.toMatchObject(revoked)
    const other = await app.sendTask('note', ['other'], {}, { ...stamped, stamps: { tenant: 'c' } })
    await other.get({ timeout: TIMEOUT })
    expect(runs).toEqual(['other'])
  })

  it('ends running tasks by their stamps', async () => {
    const { url } = await startRedis()
    const { app, runs, aborted } = shop(url)
    await start(app)
    const result = await app.sendTask(
      'wait',
      ['x'],
      {},
      { stamps: { tenant: 'a' }, stampedHeaders: ['tenant'] },
    )
    await vi.waitFor(() => expect(runs).toHaveLength(1), TIMEOUT)
    const options = { terminate: true, reply: true, destination: 'w@here', timeout: TIMEOUT }
    expect(await app.control.revokeByStampedHeaders({ tenant: 'a' }, options)).toEqual({
      'w@here': { ok: "headers {'tenant': 'a'} revoked" },
    })
    await vi.waitFor(() => expect(aborted).toEqual(['x']), TIMEOUT)
    await expect(result.get({ timeout: TIMEOUT })).rejects.toMatchObject({ excType: 'TaskRevokedError' })
  })

  it('is learned after an outage of the connection that listens', async () => {
    const { url } = await startRedis()
    const { app } = shop(url)
    await start(app)
    const redis = redisClient(url)
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await app.control.revoke('told to nobody')
    await vi.waitFor(async () => {
      expect(await app.control.inspect().revoked()).toEqual({ 'w@here': ['told to nobody'] })
    }, TIMEOUT)
  })

  it('is kept in the state file from one run to the next', async () => {
    const { url } = await startRedis()
    const workerStateDb = path.join(await tempDir(), 'state')
    const { app } = shop(url, { workerStateDb })
    const worker = await start(app)
    await app.control.revoke('known', { reply: true, destination: 'w@here', timeout: TIMEOUT })
    await worker.stop()
    expect(await readFile(workerStateDb, 'utf8')).toContain('"known"')
    await redisClient(url).flushall()
    await start(app)
    expect(await app.control.inspect().revoked()).toEqual({ 'w@here': ['known'] })
  })

  it('begins without a state file that cannot be read', async () => {
    const { url } = await startRedis()
    const { app } = shop(url, { workerStateDb: await tempDir() })
    await start(app)
    expect(await app.control.inspect().revoked()).toEqual({ 'w@here': [] })
  })

  it('tells at the start of a state file that cannot be written', async () => {
    const { url } = await startRedis()
    const log = recordingLog()
    const { app } = shop(url, { workerStateDb: path.join(await tempDir(), 'missing', 'state'), log })
    await start(app)
    expect(log.lines.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('the state file cannot be written'),
    )
  })

  it('is bounded: the oldest are forgotten', async () => {
    const { url } = await startRedis()
    const { app } = shop(url, { workerRevokesMax: 3 })
    await start(app)
    const ids = ['1', '2', '3', '4', '5']
    for (const id of ids)
      await app.control.revoke(id, { reply: true, destination: 'w@here', timeout: TIMEOUT })
    expect(await app.control.inspect().revoked()).toEqual({ 'w@here': ['3', '4', '5'] })
    expect(await redisClient(url).zcard('lovage.revoked')).toBe(3)
  })
})
