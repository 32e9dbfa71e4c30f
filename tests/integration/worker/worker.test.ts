import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { EventEmitter } from 'node:events'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { eventually } from '../../support/eventually.js'
import {
  Celery,
  TaskError,
  type AppOptions,
  type RunningWorker,
  type WorkerOptions,
} from '../../../src/index.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'

let server: RedisServer

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

const WITHIN = { timeout: 10_000, interval: 10 }
const GET = { timeout: 10_000 }

type Where = 'redis' | 'memory'

function makeApp(where: Where, options: AppOptions = {}): Celery {
  const globalKeyprefix = `${randomUUID()}:`
  const { brokerTransportOptions, ...rest } = options
  const url = where === 'memory' ? 'memory://' : server.url
  const transport = where === 'memory' ? {} : { globalKeyprefix }
  const app = new Celery('test', {
    broker: url,
    backend: url,
    brokerTransportOptions: { ...transport, ...brokerTransportOptions },
    ...rest,
  })
  atTestEnd(() => app.close())
  return app
}

async function startWorker(app: Celery, options: WorkerOptions = {}): Promise<RunningWorker> {
  const worker = await app.startWorker(options)
  atTestEnd(() => worker.stop())
  return worker
}

describe.each(['redis', 'memory'] as const)('worker on %s', (where) => {
  it('runs a task and stores what it returns', async () => {
    const app = makeApp(where)
    const add = app.task('math.add', (x: number, y: number) => x + y)
    await startWorker(app)
    const result = await add.delay(2, 3)
    expect(await result.get(GET)).toBe(5)
    expect(await result.state()).toBe('SUCCESS')
  })

  it('runs async functions, as many at once as it has slots, and never more', async () => {
    const app = makeApp(where)
    let active = 0
    let most = 0
    const gate = new EventEmitter()
    const task = app.task('io', async () => {
      most = Math.max(most, ++active)
      await once(gate, 'open')
      active--
    })
    await startWorker(app, { concurrency: 3 })
    const results = await Promise.all(Array.from({ length: 9 }, () => task.delay()))
    await vi.waitFor(() => expect(active).toBe(3), WITHIN)
    const opener = setInterval(() => gate.emit('open'), 5)
    await Promise.all(results.map((result) => result.get(GET)))
    clearInterval(opener)
    expect(most).toBe(3)
  })

  it('claims no more than the prefetch count while its slots are taken', async () => {
    const app = makeApp(where)
    const gate = new EventEmitter()
    const task = app.task('block', () => once(gate, 'open'))
    const worker = await startWorker(app, { concurrency: 2, prefetchMultiplier: 2 })
    const results = await Promise.all(Array.from({ length: 10 }, () => task.delay()))
    await vi.waitFor(() => expect(worker.counts()).toMatchObject({ active: 2, reserved: 2 }), WITHIN)
    expect(await app.broker.queueLength('celery')).toBe(6)
    const opener = setInterval(() => gate.emit('open'), 5)
    await Promise.all(results.map((result) => result.get(GET)))
    clearInterval(opener)
  })

  it('binds arguments in each of the forms a task may have', async () => {
    const app = makeApp(where)
    const { z } = await import('zod')
    const echo = app.task('echo', { argNames: ['message', 'key'] }, (message: string, key = 'echo') => [
      message,
      key,
    ])
    const tag = app.task('tag', { kwargs: true }, (id: string, labels: Record<string, unknown>) => ({
      id,
      ...labels,
    }))
    const bound = app.task('bound', { bind: true }, (task, x: number) => [task.request.task, x])
    const params = z.object({ id: z.string(), format: z.enum(['html', 'csv']).default('html') })
    const report = app.task('report', { params }, ({ id, format }) => `${id}.${format}`)
    await startWorker(app)
    const get = async (name: string, args: unknown[], kwargs = {}): Promise<unknown> =>
      (await app.sendTask(name, args, kwargs)).get(GET)
    expect(await (await echo.delay('a')).get(GET)).toEqual(['a', 'echo'])
    expect(await get('echo', [], { key: 'k', message: 'm' })).toEqual(['m', 'k'])
    expect(await (await tag.delay('t', { colour: 'red' })).get(GET)).toEqual({ id: 't', colour: 'red' })
    expect(await get('tag', ['t'], { size: 1 })).toEqual({ id: 't', size: 1 })
    expect(await (await bound.delay(1)).get(GET)).toEqual(['bound', 1])
    expect(await (await report.delay({ id: 'r' })).get(GET)).toBe('r.html')
    expect(await get('report', ['r', 'csv'])).toBe('r.csv')
    expect(await get('report', ['r'], { format: 'csv' })).toBe('r.csv')
  })

  it.each([
    ['plain', [1], {}, 'TypeError', /missing 1 required positional argument/],
    ['plain', [1, 2], { z: 3 }, 'TypeError', /keyword arguments 'z'/],
    ['named', [1, 2, 3], {}, 'TypeError', /takes 2 positional arguments but 3 were given/],
    ['named', [1], { x: 1 }, 'TypeError', /multiple values for argument 'x'/],
    ['named', [1], { w: 1 }, 'TypeError', /unexpected keyword argument 'w'/],
    ['named', [], { y: 1 }, 'TypeError', /missing 1 required positional argument: 'x'/],
    ['checked', [], { n: 'one' }, 'InvalidParamsError', /n: .*number/],
    ['checked', [1, 2], {}, 'TypeError', /takes 1 positional argument but 2 were given/],
    ['checked', [1], { m: 2 }, 'TypeError', /unexpected keyword argument 'm'/],
  ])('fails a call of %s with %j %j as Python would: %s', async (name, args, kwargs, excType, message) => {
    const app = makeApp(where)
    const { z } = await import('zod')
    app.task('plain', (x: number, y: number) => x + y)
    app.task('named', { argNames: ['x', 'y'] }, (x: number, y: number) => x + y)
    app.task('checked', { params: z.object({ n: z.number() }) }, ({ n }) => n)
    await startWorker(app)
    const failure = await (await app.sendTask(name, args, kwargs)).get(GET).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TaskError)
    expect(failure).toMatchObject({ excType })
    expect((failure as TaskError).message).toMatch(message)
  })

  it('retries when the task asks for it, with its arguments, until none is left', async () => {
    const app = makeApp(where)
    const seen: number[] = []
    const flaky = app.task('flaky', { bind: true, maxRetries: 2 }, (task, x: string) => {
      seen.push(task.request.retries)
      if (x === 'never' || task.request.retries < 2)
        throw task.retry({ countdown: 0.05, cause: new RangeError(x) })
      return task.request.retries
    })
    await startWorker(app)
    expect(await (await flaky.delay('in the end')).get(GET)).toBe(2)
    expect(seen).toEqual([0, 1, 2])
    const never = await flaky.delay('never')
    await expect(never.get(GET)).rejects.toMatchObject({ excType: 'RangeError', excMessage: ['never'] })
    expect(seen).toEqual([0, 1, 2, 0, 1, 2])
  })

  it('shows RETRY with its cause while a retry waits', async () => {
    const app = makeApp(where)
    const flaky = app.task('flaky', { bind: true }, (task) => {
      throw task.retry({ countdown: 3600, cause: new RangeError('later') })
    })
    await startWorker(app)
    const result = await flaky.delay()
    await vi.waitFor(async () => expect(await result.state()).toBe('RETRY'), WITHIN)
    expect(await result.info()).toMatchObject({ exc_type: 'RangeError', exc_message: ['later'] })
  })

  it('retries the errors of autoretryFor by itself, and no others', async () => {
    const app = makeApp(where)
    class Flaky extends Error {}
    class Fatal extends Flaky {}
    const options = {
      autoretryFor: [Flaky],
      dontAutoretryFor: [Fatal],
      defaultRetryDelay: 0.02,
      maxRetries: 3,
    }
    let runs = 0
    const task = app.task('auto', { ...options, argNames: ['kind'] }, (kind: string) => {
      runs++
      throw kind === 'flaky' ? new Flaky('again') : new Fatal('no')
    })
    await startWorker(app)
    await expect((await task.delay('flaky')).get(GET)).rejects.toMatchObject({ excType: 'Flaky' })
    expect(runs).toBe(4)
    await expect((await task.delay('fatal')).get(GET)).rejects.toMatchObject({ excType: 'Fatal' })
    expect(runs).toBe(5)
  })

  it('does not start a task before its ETA, and not after its expiry', async () => {
    const app = makeApp(where)
    const startedAt: number[] = []
    const task = app.task('timed', () => void startedAt.push(Date.now()))
    const worker = await startWorker(app)
    const eta = new Date(Date.now() + 300)
    await (await task.applyAsync({ eta })).get(GET)
    expect(startedAt[0]).toBeGreaterThanOrEqual(eta.getTime())
    expect((startedAt[0] ?? 0) - eta.getTime()).toBeLessThan(2000)
    const expired = await task.applyAsync({ expires: new Date(Date.now() - 1000) })
    await expect(expired.get(GET)).rejects.toMatchObject({
      excType: 'TaskRevokedError',
      excMessage: ['expired'],
    })
    expect(await expired.state()).toBe('REVOKED')
    const late = await task.applyAsync({ countdown: 0.3, expires: 0.1 })
    await expect(late.get(GET)).rejects.toMatchObject({ excType: 'TaskRevokedError' })
    expect(worker.counts().started).toBe(1)
  })

  it('tells of an expiry without the arguments where the result would be too large with them', async () => {
    const app = makeApp(where, { resultExtended: true, resultMaxBytes: 1000 })
    const task = app.task('late', (_text: string) => undefined)
    await startWorker(app)
    const expires = new Date(Date.now() - 1000)
    const expired = await task.applyAsync({ args: ['x'.repeat(2000)], expires })
    const after = await task.applyAsync({ args: ['x'], expires })
    for (const result of [expired, after]) {
      await expect(result.get(GET)).rejects.toMatchObject({ excType: 'TaskRevokedError' })
    }
  })

  it('lets waiting ETAs take no room from what is due now', async () => {
    const app = makeApp(where)
    const task = app.task('now', () => 'now')
    const worker = await startWorker(app, { concurrency: 1, prefetchMultiplier: 1 })
    await Promise.all(Array.from({ length: 20 }, () => task.applyAsync({ countdown: 3600 })))
    expect(await (await task.delay()).get(GET)).toBe('now')
    expect(worker.counts()).toMatchObject({ active: 0, reserved: 0 })
  })

  it('aborts the signal at the soft time limit and fails the task at the hard one', async () => {
    const app = makeApp(where)
    const soft = app.task('soft', { bind: true, softTimeLimit: 0.1 }, async (task) => {
      await once(task.signal, 'abort')
      throw task.signal.reason
    })
    const hard = app.task('hard', { timeLimit: 0.1 }, () => new Promise(() => undefined))
    await startWorker(app, { concurrency: 1 })
    await expect((await soft.delay()).get(GET)).rejects.toMatchObject({
      excType: 'SoftTimeLimitExceeded',
      excModule: 'billiard.exceptions',
      excMessage: [],
    })
    await expect((await hard.delay()).get(GET)).rejects.toMatchObject({
      excType: 'TimeLimitExceeded',
      excMessage: [0.1],
    })
    const own = await hard.applyAsync({ timeLimit: 0.05 })
    await expect(own.get(GET)).rejects.toMatchObject({ excMessage: [0.05] })
  })

  it('keeps no result where task, message or app say so', async () => {
    const app = makeApp(where)
    const runs: string[] = []
    const ignored = app.task('ignored', { ignoreResult: true }, () => void runs.push('task'))
    const kept = app.task('kept', () => runs.push('message'))
    await startWorker(app)
    const results = [await ignored.delay(), await kept.applyAsync({ ignoreResult: true })]
    await vi.waitFor(() => expect(runs.toSorted()).toEqual(['message', 'task']), WITHIN)
    await (await kept.delay()).get(GET)
    expect(await Promise.all(results.map((result) => result.meta()))).toEqual([undefined, undefined])
  })

  it('ends without a result when the task ignores, and refuses or requeues when it rejects', async () => {
    const app = makeApp(where)
    let requeues = 0
    const ignore = app.task('ignore', { bind: true }, (task) => {
      throw task.ignore()
    })
    const reject = app.task('reject', { bind: true }, (task) => {
      throw task.reject('not for me')
    })
    const requeue = app.task('requeue', { bind: true }, (task) => {
      if (!task.request.isRedelivered) throw task.reject('once more', { requeue: true })
      return ++requeues
    })
    await startWorker(app)
    const ignored = await ignore.delay()
    await reject.delay()
    expect(await (await requeue.delay()).get(GET)).toBe(1)
    await vi.waitFor(async () => expect(await app.broker.deadLetters.count()).toBe(1), WITHIN)
    expect((await app.broker.deadLetters.list())[0]).toMatchObject({
      code: 'REJECTED',
      message: 'not for me',
    })
    expect(await ignored.meta()).toBeUndefined()
  })

  it('reports the states of a task that is followed', async () => {
    const app = makeApp(where, { taskTrackStarted: true })
    const seen: string[] = []
    // A state that the next one replaces before anybody looks is told to nobody.
    const task = app.task('steps', { bind: true }, async (context) => {
      await eventually(() => seen.includes('STARTED'))
      await context.updateState('PROGRESS', { current: 1 })
      await eventually(() => seen.includes('PROGRESS'))
      return 'done'
    })
    const result = await task.delay()
    const following = (async () => {
      for await (const { status } of result) seen.push(status)
    })()
    await startWorker(app)
    await following
    expect(seen.filter((state, i) => state !== seen[i - 1])).toEqual(['STARTED', 'PROGRESS', 'SUCCESS'])
  })

  it('consumes several queues, and routes tasks to them', async () => {
    const app = makeApp(where, { taskRoutes: { 'reports.*': { queue: 'reports' } } })
    const report = app.task('reports.make', () => 'report')
    const other = app.task('other', { queue: 'others' }, () => 'other')
    const worker = await startWorker(app, { queues: ['celery', 'reports', 'others'] })
    expect(await (await report.delay()).get(GET)).toBe('report')
    expect(await (await other.delay()).get(GET)).toBe('other')
    expect(await (await report.applyAsync({ queue: 'celery' })).get(GET)).toBe('report')
    expect(worker.counts()).toMatchObject({ started: 3, succeeded: 3 })
  })

  it('guarantee 7: at a stop lets what runs finish, and hands the rest back in its order', async () => {
    const app = makeApp(where)
    const gate = new EventEmitter()
    const ran: number[] = []
    const task = app.task('slow', async (n: number) => {
      if (n === 0) await once(gate, 'open')
      ran.push(n)
      return n
    })
    const first = await app.startWorker({ concurrency: 1, prefetchMultiplier: 4 })
    const results = []
    for (let n = 0; n < 4; n++) results.push(await task.delay(n))
    await vi.waitFor(() => expect(first.counts()).toMatchObject({ active: 1, reserved: 3 }), WITHIN)
    const stopping = first.stop()
    await vi.waitFor(async () => expect(await app.broker.queueLength('celery')).toBe(3), WITHIN)
    gate.emit('open')
    await stopping
    expect(await results[0]?.state()).toBe('SUCCESS')
    await startWorker(app, { concurrency: 1 })
    expect(await Promise.all(results.map((result) => result.get(GET)))).toEqual([0, 1, 2, 3])
    expect(ran).toEqual([0, 1, 2, 3])
  })

  it('guarantee 7: hands back what does not finish in time, and aborts its signal', async () => {
    const app = makeApp(where, { workerShutdownTimeout: 0.1 })
    const aborted: unknown[] = []
    let runs = 0
    const task = app.task('endless', { bind: true }, async (context) => {
      if (++runs > 1) return 'second run'
      await once(context.signal, 'abort')
      aborted.push(context.signal.reason)
      return 'first run'
    })
    const first = await app.startWorker()
    const result = await task.delay()
    await vi.waitFor(() => expect(first.counts().active).toBe(1), WITHIN)
    await first.stop()
    expect(aborted).toHaveLength(1)
    expect(await app.broker.queueLength('celery')).toBe(1)
    await startWorker(app)
    expect(await result.get(GET)).toBe('second run')
  })
})

describe('worker on Redis', () => {
  it('acknowledges after the result is stored; with taskAcksLate false before the task runs', async () => {
    const redis = redisClient(server.url)
    for (const [taskAcksLate, heldWhileRunning] of [
      [true, 1],
      [false, 0],
    ] as const) {
      const globalKeyprefix = `${randomUUID()}:`
      const app = makeApp('redis', { taskAcksLate, brokerTransportOptions: { globalKeyprefix } })
      const held = app.task('look', async () => {
        // It is in one of both, so they are looked at in one step.
        const looks = redis
          .multi()
          .keys(`${globalKeyprefix}lovage.handed.*`)
          .hlen(`${globalKeyprefix}unacked`)
        const [[, handedOver] = [], [, unacked] = []] = (await looks.exec()) ?? []
        return (handedOver as string[]).length + Number(unacked)
      })
      const worker = await startWorker(app)
      expect(await (await held.delay()).get(GET)).toBe(heldWhileRunning)
      await worker.stop()
      expect(await redis.keys(`${globalKeyprefix}*`)).toEqual([`${globalKeyprefix}_kombu.binding.celery`])
    }
  })

  it('stores extended results in Celery’s form where asked to', async () => {
    const app = makeApp('redis', { resultExtended: true })
    const add = app.task('math.add', (x: number, y: number) => x + y)
    await startWorker(app, { hostname: 'w1@here' })
    const result = await add.delay(1, 2)
    await result.get(GET)
    const stored = JSON.parse(
      (await redisClient(server.url).get(`celery-task-meta-${result.id}`)) ?? '',
    ) as object
    expect(Object.keys(stored)).toEqual(
      [
        'status',
        'result',
        'traceback',
        'children',
        'date_done',
        'name',
        'args',
        'kwargs',
        'worker',
        'retries',
      ].concat(['queue', 'task_id']),
    )
    expect(stored).toMatchObject({
      name: 'math.add',
      args: [1, 2],
      kwargs: {},
      worker: 'w1@here',
      queue: 'celery',
    })
  })

  it('waits for a Redis that is not there yet, and consumes when it comes', async () => {
    const own = await startRedis()
    const app = new Celery('late', { broker: own.url, backend: own.url })
    atTestEnd(() => app.close())
    const add = app.task('add', (x: number, y: number) => x + y)
    const { port, directory } = own
    await own.process.stop()
    const starting = app.startWorker()
    const again = await startRedis({ port, directory })
    const worker = await starting
    atTestEnd(() => worker.stop())
    expect(await (await add.delay(1, 1)).get(GET)).toBe(2)
    await again.stop()
  })

  it('goes on within moments after Redis was restarted', async () => {
    const own = await startRedis({ args: ['--appendonly', 'yes'] })
    const app = new Celery('restart', { broker: own.url, backend: own.url })
    atTestEnd(() => app.close())
    const add = app.task('add', (x: number, y: number) => x + y)
    const worker = await app.startWorker()
    atTestEnd(() => worker.stop())
    expect(await (await add.delay(1, 1)).get(GET)).toBe(2)
    await own.process.stop()
    const again = await startRedis({
      port: own.port,
      directory: own.directory,
      args: ['--appendonly', 'yes'],
    })
    expect(await (await add.delay(2, 2)).get(GET)).toBe(4)
    await worker.stop()
    await again.stop()
  })
})
