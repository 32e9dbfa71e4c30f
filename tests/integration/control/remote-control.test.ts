import { describe, expect, it, vi } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { Celery, RunningWorker, WorkerOptions } from '../../../src/index.js'

const TIMEOUT = 10_000

interface Site {
  readonly url: string
  readonly app: Celery
  readonly worker: RunningWorker
  /** Lets the tasks `hold` end. */
  readonly release: () => void
  /** How many of them run. */
  readonly held: () => number
}

async function start(options: WorkerOptions = {}, settings = {}): Promise<Site> {
  const { url } = await startRedis()
  const app = testApp(url, settings)
  let held = 0
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  app.task('hold', { bind: true }, async (task, what: string) => {
    held++
    await Promise.race([released, new Promise((resolve) => task.signal.addEventListener('abort', resolve))])
    held--
    if (task.signal.aborted) throw task.signal.reason
    return what
  })
  app.task('add', { rateLimit: '10/m', maxRetries: 2 }, (x: number, y: number) => x + y)
  app.controlCommand('double', ({ n }) => Number(n) * 2)
  app.controlCommand('fail', () => {
    throw new TypeError('as told')
  })
  const worker = await app.startWorker({ hostname: 'w1@here', ...options })
  return { url, app, worker, release, held: () => held }
}

const destination = 'w1@here'

describe('remote control', () => {
  it('answers what is asked', async () => {
    const { app, release, held } = await start({ concurrency: 1, prefetchMultiplier: 2 })
    const inspect = app.control.inspect({ timeout: TIMEOUT })
    expect(await inspect.ping()).toEqual({ [destination]: { ok: 'pong' } })

    const later = await app.sendTask('add', [1, 2], {}, { countdown: 1000 })
    const scheduled = await eventually(async () => {
      const { [destination]: found } = await inspect.scheduled()
      return Array.isArray(found) && found.length === 1 && found
    })
    expect(scheduled).toMatchObject([{ request: { id: later.id, name: 'add' } }])

    const running = await app.sendTask('hold', ['a'])
    await vi.waitFor(() => expect(held()).toBe(1))
    const waiting = await app.sendTask('hold', ['b'])
    const tasks = await eventually(async () => {
      const { [destination]: found = {} } = await inspect.queryTask([running.id, waiting.id, 'unknown'])
      return Object.keys(found).length === 2 && found
    })
    expect(tasks).toMatchObject({
      [running.id]: ['active', { name: 'hold', args: ['a'], worker_pid: process.pid }],
      [waiting.id]: ['reserved', { args: ['b'], time_start: null }],
    })
    expect((await inspect.active({ safe: true }))[destination]).toMatchObject([{ args: "('a',)" }])
    expect((await inspect.reserved())[destination]).toMatchObject([{ id: waiting.id }])
    expect((await inspect.stats())[destination]).toMatchObject({
      total: { hold: 1 },
      pid: process.pid,
      pool: { 'max-concurrency': 1, processes: [process.pid] },
      prefetch_count: 2,
    })
    expect((await inspect.registered())[destination]).toEqual(['add [rate_limit=10/m]', 'hold'])
    expect((await inspect.registered(['max_retries']))[destination]).toEqual(['add [max_retries=2]', 'hold'])
    expect((await inspect.activeQueues())[destination]).toMatchObject([{ name: 'celery' }])
    expect((await inspect.report())[destination]).toEqual({
      ok: expect.stringContaining('software -> lovage') as string,
    })
    release()
    expect(await waiting.get({ timeout: TIMEOUT })).toBe('b')
  })

  it('tells settings, but no secrets', async () => {
    const secret = 's'.repeat(32)
    const { app, url } = await start({}, { messageSecrets: [secret], resultExpires: 60 })
    const { [destination]: changed } = await app.control.inspect().conf()
    expect(changed).toMatchObject({ result_expires: 60, broker_url: url })
    expect(changed).not.toHaveProperty('task_default_queue')
    const { [destination]: all } = await app.control.inspect().conf({ withDefaults: true })
    expect(all).toMatchObject({ task_default_queue: 'celery' })
    expect(JSON.stringify(all)).not.toContain(secret)
  })

  it('obeys commands of one’s own, and says what is wrong with others', async () => {
    const { app } = await start()
    const tell = async (method: string, args = {}): Promise<unknown> =>
      (await app.control.broadcast(method, args, { reply: true, destination, timeout: TIMEOUT }))[destination]
    expect(await tell('double', { n: 21 })).toBe(42)
    expect(await tell('fail')).toEqual({ error: "TypeError('as told')" })
    expect(await tell('no_such')).toEqual({ error: "KeyError('no_such')" })
    expect(await tell('toString')).toEqual({ error: "KeyError('toString')" })
    expect(await tell('enable_events', { odd: 1 })).toEqual({
      error: expect.stringContaining('unexpected keyword argument') as string,
    })
    expect(await tell('revoke')).toEqual({ error: expect.stringContaining('task_id') as string })
    expect(await tell('pool_grow', { n: 'many' })).toEqual({ error: expect.stringContaining('n:') as string })
    expect(await tell('rate_limit', { task_name: 'add', rate_limit: 'often' })).toEqual({
      error: expect.stringContaining('Invalid rate limit string') as string,
    })
    expect(await tell('rate_limit', { task_name: 'nobody', rate_limit: 1 })).toEqual({
      error: 'unknown task',
    })
    expect(await tell('autoscale', { max: 2 })).toEqual({ error: "ValueError('Autoscale not enabled')" })
    expect(() => app.controlCommand('double', () => 0)).toThrow(/exists already/)
  })

  it('passes over what is no message, or for nobody, and goes on', async () => {
    const { app, url } = await start()
    const redis = redisClient(url)
    for (const text of ['', 'x', '{}', '[]', '{"body":"e30=","properties":{"delivery_tag":"t"}}'])
      await redis.publish('/0.celery.pidbox', text)
    const send = (body: unknown, contentType = 'application/json'): Promise<number> =>
      redis.publish(
        '/0.celery.pidbox',
        JSON.stringify({
          body: Buffer.from(JSON.stringify(body)).toString('base64'),
          'content-type': contentType,
          'content-encoding': 'utf-8',
          headers: { clock: 'x' },
          properties: { delivery_tag: 't', body_encoding: 'base64', delivery_info: {} },
        }),
      )
    await send({ method: 'shutdown' }, 'application/x-python-serialize')
    await send({ method: 'shutdown', destination: ['w2@here'] })
    await send({ method: 'shutdown', pattern: 'x*', matcher: 'glob' })
    await send({ method: 'shutdown', pattern: '(', matcher: 'pcre' })
    await send({ method: 'shutdown', pattern: 'x', matcher: 'odd' })
    await send({ method: 'ping', arguments: [] })
    await send({ method: 'ping', arguments: {}, ticket: 't', reply_to: 'somewhere' })
    await send({ method: 'ping', ticket: 't', reply_to: { exchange: 'gone', routing_key: 'gone' } })
    expect(await app.control.ping({ pattern: 'w1@h.*e', matcher: 'pcre', limit: 1 })).toHaveProperty([
      destination,
    ])
    expect(await redis.keys('*gone*')).toEqual([])
  })

  it('changes queues, slots, limits and events at run time', async () => {
    const { app, worker, held, release } = await start({ concurrency: 1 })
    const options = { reply: true, destination, timeout: TIMEOUT }
    expect(await app.control.addConsumer('more', options)).toEqual({
      [destination]: { ok: 'add consumer more' },
    })
    const sum = await app.sendTask('add', [2, 3], {}, { queue: 'more' })
    expect(await sum.get({ timeout: TIMEOUT })).toBe(5)
    await app.control.cancelConsumer('more', options)
    const { [destination]: queues } = await app.control.inspect({ destination }).activeQueues()
    expect(queues).toMatchObject([{ name: 'celery' }])

    expect(await app.control.poolGrow(2, options)).toEqual({ [destination]: { ok: 'pool will grow' } })
    for (const what of ['a', 'b', 'c']) await app.sendTask('hold', [what])
    await vi.waitFor(() => expect(held()).toBe(3))
    expect(await app.control.poolShrink(1, options)).toEqual({ [destination]: { ok: 'pool will shrink' } })
    expect(worker.pool.concurrency).toBe(2)
    expect((await app.control.poolShrink(2, options))[destination]).toHaveProperty('error')
    release()

    expect(await app.control.rateLimit('add', 0, options)).toEqual({
      [destination]: { ok: 'rate limit disabled successfully' },
    })
    expect(await app.control.timeLimit('hold', { soft: 0.1 }, options)).toEqual({
      [destination]: { ok: 'time limits set successfully' },
    })
    expect(await app.control.enableEvents(options)).toEqual({ [destination]: { ok: 'task events enabled' } })
    expect(await app.control.enableEvents(options)).toEqual({
      [destination]: { ok: 'task events already enabled' },
    })
    expect(await app.control.disableEvents(options)).toEqual({
      [destination]: { ok: 'task events disabled' },
    })
  })

  it('stops a worker', async () => {
    const { app, worker, url } = await start()
    const redis = redisClient(url)
    expect(await redis.smembers('_kombu.binding.celery.pidbox')).toEqual([
      '\x06\x16\x06\x16w1@here.celery.pidbox',
    ])
    await app.control.shutdown({ destination })
    await worker.stopped
    expect(await redis.exists('_kombu.binding.celery.pidbox')).toBe(0)
    expect(await app.control.ping()).toEqual({})
  })

  it('stops a worker that has not begun yet, as soon as it has', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    // The worker waits for its answer to a hello.
    await redisClient(url).psubscribe('*celery.pidbox')
    const starting = app.startWorker({ hostname: destination })
    await eventually(async () => destination in (await app.control.ping({ limit: 1, timeout: 200 })))
    await app.control.shutdown({ destination })
    await (
      await starting
    ).stopped
  })

  it('is for whoever signs where messages are signed', async () => {
    const { app, url } = await start({}, { messageSecrets: ['s'.repeat(32)] })
    expect(await app.control.ping({ destination, timeout: TIMEOUT })).toHaveProperty([destination])
    expect(await testApp(url).control.ping({ timeout: 300 })).toEqual({})
  })

  it('can be left out', async () => {
    const { app, url } = await start({}, { workerEnableRemoteControl: false })
    expect(await app.control.ping()).toEqual({})
    expect(await redisClient(url).exists('_kombu.binding.celery.pidbox')).toBe(0)
  })

  it(
    'row 11: a thousand calls, half of them abandoned, leave no key behind',
    { timeout: 60_000 },
    async () => {
      const { app, url } = await start()
      const redis = redisClient(url)
      const before = (await redis.keys('*')).toSorted()
      const calls = Array.from({ length: 1000 }, async (_, i) => {
        const giveUp = new AbortController()
        // All at once they take their time on a busy machine.
        const options = { destination, timeout: 5 * TIMEOUT, signal: giveUp.signal }
        const asked = app.control.inspect(options).ping()
        if (i % 2 === 0) giveUp.abort(new Error('given up'))
        return asked.then(
          (replies) => Object.keys(replies).length,
          () => 0,
        )
      })
      const answered = (await Promise.all(calls)).filter((count) => count === 1)
      expect(answered.length).toBe(500)
      // The worker may be about to reply to the last that gave up.
      await vi.waitFor(async () => expect((await redis.keys('*')).toSorted()).toEqual(before), TIMEOUT)
    },
  )
})
