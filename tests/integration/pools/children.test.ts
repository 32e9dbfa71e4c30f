import path from 'node:path'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { APP_MODULE, builtApp, startPoolSite, type PoolSite } from './pool-site.js'
import { childProcesses } from '../../support/child-processes.js'
import { eventually } from '../../support/eventually.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { recordingLog } from '../../support/recording-log.js'
import { registerWork } from './apps/register-work.js'
import { tempDir } from '../../support/temp-dir.js'
import { TaskError } from './apps/built.js'

let redis: SharedRedis
beforeAll(async () => {
  redis = await redisForTests()
})
afterAll(() => redis.stop())

interface Place {
  readonly pid: number
  readonly threadId: number
}

const PATIENCE = { timeout: 25_000 }

/** The child in which a task of one's own now runs. */
async function placeOf(result: { info(): Promise<unknown>; state(): Promise<string> }): Promise<number> {
  await eventually(async () => (await result.state()) === 'AT_WORK')
  return ((await result.info()) as { pid: number }).pid
}

describe.each(['processes', 'threads'] as const)('a pool of %s', (pool) => {
  describe('with two children', () => {
    let site: PoolSite
    beforeAll(async () => {
      site = await startPoolSite(redis.url, { pool })
    })
    afterAll(async () => {
      await site.worker.stop()
      await site.app.close()
    })

    it('runs a thousand tasks, none of them where the worker is', async () => {
      const places = await Promise.all(
        (await Promise.all(Array.from({ length: 1000 }, () => site.send<Place>('work.where')))).map((sent) =>
          sent.get(PATIENCE),
        ),
      )
      const ids = new Set(places.map(({ pid, threadId }) => (pool === 'threads' ? threadId : pid)))
      expect(ids).toEqual(new Set(site.worker.pool.children))
      expect(ids.has(pool === 'threads' ? 0 : process.pid)).toBe(false)
    })

    it('brings values, whatever they are, as the event loop does', async () => {
      const result = await site.send('work.values')
      await result.get(PATIENCE)
      const meta = await site.app.backend.fetch(result.id)
      expect(meta?.result).toMatchObject({ at: new Date(0), big: 2n ** 70n, bytes: Buffer.from('ü') })
      const local = builtApp(redis.url)
      const queue = randomUUID()
      registerWork(local)
      const worker = await local.startWorker({ queues: [queue] })
      const same = await local.sendTask('work.values', [], {}, { queue })
      await same.get(PATIENCE)
      await worker.stop()
      expect(meta?.result).toEqual((await site.app.backend.fetch(same.id))?.result)
    })

    it('tells of errors with their name, arguments, cause and place', async () => {
      const failed = (await (
        await site.send('work.fail')
      )
        .get(PATIENCE)
        .catch((error: unknown) => error)) as TaskError
      expect(failed).toBeInstanceOf(TaskError)
      expect(failed).toMatchObject({ excType: 'OutOfStock', excMessage: ['none left'] })
      expect(failed.traceback).toMatch(
        /TypeError: no such thing\n\nThe above[^]*register-work\.js[^]*OutOfStock: none left/,
      )
      await expect((await site.send('work.unstorable')).get(PATIENCE)).rejects.toMatchObject({
        excType: 'EncodeError',
      })
      await expect((await site.send('work.nothing')).get(PATIENCE)).rejects.toMatchObject({
        excType: 'NotRegistered',
      })
    })

    it('has states, retries, replacements, ends without a result, and calls of tasks', async () => {
      expect(await (await site.send('work.again', 'x')).get(PATIENCE)).toEqual(['x++', 2])
      expect(await (await site.send('work.sleep', 'me', 10)).get(PATIENCE)).toBe('me')
      const caller = await site.send<string>('work.calls')
      const called = site.app.asyncResult(await caller.get(PATIENCE))
      expect(await called.get(PATIENCE)).toEqual({
        parentId: caller.id,
        hostname: site.worker.hostname,
        task: 'work.request',
      })
      expect(await caller.children()).toMatchObject([{ id: called.id }])
      const rejected = await site.send('work.reject')
      await eventually(async () =>
        (await site.app.deadLetters.list()).some(({ taskId }) => taskId === rejected.id),
      )
    })

    it('row 41: aborts the signal at the soft limit, whose error fails a task that throws it on', async () => {
      const { app, queue } = site
      const soft = { queue, softTimeLimit: 0.2 }
      expect(await (await app.sendTask('work.until_aborted', [], {}, soft)).get(PATIENCE)).toBe(
        'SoftTimeLimitExceeded',
      )
      await expect((await app.sendTask('work.soft', [], {}, soft)).get(PATIENCE)).rejects.toMatchObject({
        excType: 'SoftTimeLimitExceeded',
        excModule: 'billiard.exceptions',
      })
    })

    it('row 41: ends a loop that computes for ever within a second of its limit, and runs the next task', async () => {
      const before = new Set(site.worker.pool.children)
      const spinning = await site.app.sendTask('work.spin', [], {}, { queue: site.queue, timeLimit: 1 })
      await placeOf(spinning)
      const from = performance.now()
      await expect(spinning.get(PATIENCE)).rejects.toMatchObject({
        excType: 'TimeLimitExceeded',
        excMessage: [1],
      })
      expect(performance.now() - from).toBeLessThan(2000)
      await eventually(() => site.worker.pool.children.filter((id) => before.has(id)).length === 1)
      expect(await (await site.send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
    })

    it('row 25: terminates a task, the one that listens and the one that does not', async () => {
      const spinning = await site.send('work.spin')
      const listening = await site.send('work.sleep', 'me')
      await placeOf(spinning)
      await placeOf(listening)
      const before = new Set(site.worker.pool.children)
      expect(site.worker.terminate(spinning.id)).toBe(true)
      expect(site.worker.terminate(listening.id)).toBe(true)
      expect(site.worker.terminate('unknown')).toBe(false)
      for (const terminated of [spinning, listening]) {
        await expect(terminated.get(PATIENCE)).rejects.toMatchObject({
          excType: 'TaskRevokedError',
          excMessage: ['terminated'],
        })
      }
      // Who listened has kept its child.
      await eventually(() => site.worker.pool.children.filter((id) => before.has(id)).length === 1)
      expect(await (await site.send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
    })

    it('grows and shrinks while it works', async () => {
      const { worker } = site
      await worker.pool.grow(1)
      expect(worker.pool.children).toHaveLength(3)
      const three = await Promise.all(['a', 'b', 'c'].map((marker) => site.send('work.sleep', marker)))
      await Promise.all(three.map(placeOf))
      await worker.pool.shrink(2)
      // All are at work: they go when their tasks end.
      expect(worker.pool).toMatchObject({ concurrency: 1, children: { length: 3 } })
      for (const { id } of three) worker.terminate(id)
      await eventually(() => worker.pool.children.length === 1)
      expect(await (await site.send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
      await worker.pool.grow(1)
      expect(worker.pool).toMatchObject({ concurrency: 2, children: { length: 2 } })
    })
  })

  it('tells listeners in each child when it begins, before its first task, and when it leaves', async () => {
    const gone = path.join(await tempDir(), 'gone')
    const childEnv = { WORK_GONE: gone }
    const site = await startPoolSite(redis.url, { pool, concurrency: 1, childEnv })
    const { hostname } = site.worker
    const [id] = site.worker.pool.children
    expect(await (await site.send('work.prepared')).get(PATIENCE)).toEqual({ hostname, id })
    await site.worker.stop()
    expect(await readFile(gone, 'utf8')).toBe(`${id}\n`)
  })

  it('runs a task again whose child exits, and nothing else', async () => {
    const site = await startPoolSite(redis.url, { pool })
    const beside = await site.send<string>('work.sleep', 'beside', 1500)
    const again = await site.send('work.exit_at_first')
    expect(await again.get(PATIENCE)).toBe('second')
    expect(await beside.get(PATIENCE)).toBe('beside')
    expect(site.worker.counts()).toMatchObject({ started: 3, failed: 0 })
  })

  it('fails a task whose child exits where it must not run again, or was acknowledged before', async () => {
    const site = await startPoolSite(redis.url, { pool, concurrency: 1 })
    for (const task of ['work.exit_once', 'work.exit_early']) {
      await expect((await site.send(task, 3)).get(PATIENCE)).rejects.toMatchObject({
        excType: 'WorkerLostError',
        excModule: 'billiard.exceptions',
        excMessage: ['Worker exited prematurely: exitcode 3.'],
      })
    }
    expect(await site.app.deadLetters.list({ queue: site.queue })).toMatchObject([
      { code: 'WORKER_LOST', task: 'work.exit_once' },
    ])
  })

  it('sets a message aside that ends its child each time', async () => {
    const site = await startPoolSite(redis.url, { pool, concurrency: 1 }, { taskMaxDeliveries: 2 })
    await expect((await site.send('work.exit', 4)).get(PATIENCE)).rejects.toMatchObject({
      excType: 'WorkerLostError',
    })
    const letters = await eventually(async () => {
      const found = await site.app.deadLetters.list({ queue: site.queue })
      return found.length === 1 && found
    })
    expect(letters).toMatchObject([
      {
        code: 'TOO_MANY_DELIVERIES',
        history: [{ cause: 'WORKER_LOST', hasBegun: true }, { hasBegun: true }],
      },
    ])
  })

  it('row 40: replaces a child after so many tasks', async () => {
    const site = await startPoolSite(redis.url, { pool, concurrency: 1 }, { workerMaxTasksPerChild: 2 })
    const places: Place[] = []
    for (let i = 0; i < 5; i++) places.push(await (await site.send<Place>('work.where')).get(PATIENCE))
    const ids = places.map(({ pid, threadId }) => (pool === 'threads' ? threadId : pid))
    expect(new Set(ids).size).toBe(3)
    expect([ids[0], ids[2]]).toEqual([ids[1], ids[3]])
  })

  it('row 40: replaces a child that has taken too much memory, when its task has ended', async () => {
    const limit = { workerMaxMemoryPerChild: 400 * 1024 }
    const site = await startPoolSite(redis.url, { pool, concurrency: 1 }, limit)
    const first = await (await site.send<Place>('work.hoard', 1)).get(PATIENCE)
    const hoarder = await (await site.send<Place>('work.hoard', 500)).get(PATIENCE)
    const next = await (await site.send<Place>('work.where')).get(PATIENCE)
    expect(hoarder).toEqual(first)
    expect(next).not.toEqual(hoarder)
  })

  describe('with a hard limit of memory', () => {
    const workerHardMemoryLimit = (pool === 'processes' ? 256 : 96) * 1024
    let site: PoolSite
    beforeAll(async () => {
      site = await startPoolSite(redis.url, { pool }, { workerHardMemoryLimit })
    })
    afterAll(async () => {
      await site.worker.stop()
      await site.app.close()
    })

    it('row 40: fails a task that takes memory without end, and runs the next one', async () => {
      const beside = await site.send<string>('work.sleep', 'beside', 2500)
      await placeOf(beside)
      const { started, failed } = site.worker.counts()
      for (const kind of ['objects', 'arrays', 'buffers']) {
        const devouring = await site.send('work.devour', kind)
        await expect(devouring.get(PATIENCE)).rejects.toMatchObject({
          excType: 'MemoryLimitExceeded',
          excModule: 'lovage.errors',
          excMessage: [
            `the child of the pool that ran the task took more than ${workerHardMemoryLimit} KiB of memory ` +
              '(workerHardMemoryLimit)',
          ],
        })
        expect(await devouring.state()).toBe('FAILURE')
        expect(await (await site.send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
      }
      expect(await beside.get(PATIENCE)).toBe('beside')
      // None has run again.
      expect(site.worker.counts()).toMatchObject({ started: started + 6, failed: failed + 3 })
    })

    it('row 40: keeps the message of such a task where that is asked for', async () => {
      const kept = await site.send('work.devour_kept', 'buffers')
      await expect(kept.get(PATIENCE)).rejects.toMatchObject({ excType: 'MemoryLimitExceeded' })
      const letters = await eventually(async () => {
        const found = await site.app.deadLetters.list({ queue: site.queue })
        return found.length > 0 && found
      })
      expect(letters).toMatchObject([{ code: 'TASK_FAILED', taskId: kept.id }])
    })

    it('row 40: replaces a child that takes memory when its task has ended', async () => {
      const { pid, threadId } = await (await site.send<Place>('work.hoard_later')).get(PATIENCE)
      const id = pool === 'threads' ? threadId : pid
      await eventually(
        () => site.worker.pool.children.length === 2 && !site.worker.pool.children.includes(id),
      )
      expect(await (await site.send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
    })

    it('row 40: begins no task in a child that the one before has filled', async () => {
      const { pool: children } = site.worker
      await children.shrink(1)
      await eventually(() => children.children.length === 1)
      const before = children.children
      await site.send('work.fill', 220)
      const { pid, threadId } = await (await site.send<Place>('work.where')).get(PATIENCE)
      expect(before).not.toContain(pool === 'threads' ? threadId : pid)
    })
  })

  it('scales with the work, by itself', async () => {
    const site = await startPoolSite(redis.url, { pool, autoscale: { max: 3, min: 1, keepAliveMs: 300 } })
    expect(site.worker.pool).toMatchObject({ concurrency: 1, autoscale: { max: 3, min: 1 } })
    const sent = await Promise.all(['a', 'b', 'c', 'd'].map((marker) => site.send('work.sleep', marker)))
    const atWork = (): Promise<string[]> => Promise.all(sent.map((each) => each.state()))
    await eventually(async () => (await atWork()).filter((state) => state === 'AT_WORK').length === 3)
    expect(site.worker.pool.children).toHaveLength(3)
    for (const { id } of sent) await eventually(() => site.worker.terminate(id))
    await eventually(() => site.worker.pool.children.length === 1)
    expect(await (await site.send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
  })

  it('says what is missing where children do not know a task, or cannot start', async () => {
    const app = builtApp(redis.url)
    registerWork(app)
    app.task('work.elsewhere', () => 0)
    const options = { pool, concurrency: 1, queues: [randomUUID()] }
    await expect(app.startWorker({ ...options, appModule: APP_MODULE })).rejects.toThrow(
      'the children of the pool do not know work.elsewhere: a child imports the module of the app and nothing else',
    )
    const broken = new URL('./apps/broken.js', import.meta.url)
    await expect(app.startWorker({ ...options, appModule: broken })).rejects.toThrow(
      /^a child of the pool cannot start: TypeError: not to be imported \(.*broken\.js:1/,
    )
    const starting = new URL('./apps/starts-worker.js', import.meta.url)
    await expect(app.startWorker({ ...options, appModule: starting })).rejects.toThrow(
      'cannot start: InvalidArgumentError: a worker was started in a child',
    )
    await expect(app.startWorker({ ...options, appModule: 'no/such.js' })).rejects.toThrow(
      /cannot start:.*no\/such\.js/,
    )
    await expect(app.startWorker(options)).rejects.toThrow('appModule: a pool of')
    const tooSlow = builtApp(redis.url, { workerProcAliveTimeout: 0.001 })
    await expect(tooSlow.startWorker({ ...options, appModule: APP_MODULE })).rejects.toThrow(
      'a child of the pool was not ready after 0.001 s',
    )
    expect(childProcesses().filter(({ command }) => command.includes('/child/main'))).toEqual([])
  })

  it('hands back at the stop what does not end, and leaves nothing running', async () => {
    const site = await startPoolSite(redis.url, { pool, concurrency: 1 }, { workerShutdownTimeout: 0.1 })
    const spinning = await site.send('work.spin')
    await placeOf(spinning)
    await site.worker.stop()
    expect(await site.app.broker.queueLength(site.queue)).toBe(1)
    expect(childProcesses().filter(({ command }) => command.includes('/child/main'))).toEqual([])
  })
})

describe('a pool of processes', () => {
  it('loses nothing where a child is killed, whether it works or waits', async () => {
    const log = recordingLog()
    const site = await startPoolSite(redis.url, { pool: 'processes' }, { log })
    const [idle = 0] = site.worker.pool.children
    process.kill(idle, 'SIGKILL')
    await eventually(() => !site.worker.pool.children.includes(idle))
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'a child of the pool died: signal 9 (SIGKILL)' }),
    )

    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => site.send<string>('work.sleep', String(i), 200)),
    )
    const [first] = results
    if (first === undefined) throw new Error('nothing was sent')
    process.kill(await placeOf(first), 'SIGKILL')
    expect(await Promise.all(results.map((result) => result.get(PATIENCE)))).toEqual(
      results.map((_, i) => String(i)),
    )
    // Its own task alone has begun twice.
    expect(site.worker.counts()).toMatchObject({ started: 21, succeeded: 20 })
  })
})

it('refuses pools of children where children could not reach the messages', async () => {
  const app = builtApp('memory://')
  await expect(app.startWorker({ pool: 'processes', appModule: APP_MODULE })).rejects.toThrow(
    'pool: processes need a broker on a server',
  )
})
