import { describe, expect, it, vi } from 'vitest'
import { celeryGenerations } from '../../support/celery-generations.js'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { testApp } from '../../support/test-app.js'

/** For a busy machine; what names its destinations ends with their replies. */
const TIMEOUT = 20_000

describe.each(celeryGenerations)('app.control and workers of $name', ({ python }) => {
  it('asks all or some of them, and has their errors as data', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const [one, two] = await Promise.all([
      startPythonWorker({ broker: url, python, pool: 'solo', name: 'one' }),
      startPythonWorker({ broker: url, python, pool: 'solo', name: 'two' }),
    ])
    const pong = { ok: 'pong' }
    const both = { [one.nodeName]: pong, [two.nodeName]: pong }
    // Without an event loop Python says that it is ready before it listens.
    await expect
      .poll(() => app.control.inspect({ limit: 2, timeout: 2000 }).ping(), { timeout: TIMEOUT })
      .toEqual(both)
    const destination = two.nodeName
    expect(await app.control.ping({ destination, timeout: TIMEOUT })).toEqual({ [two.nodeName]: pong })
    const some = { pattern: 'o?e@*', limit: 1, timeout: TIMEOUT }
    expect(await app.control.ping(some)).toEqual({ [one.nodeName]: pong })

    const inspect = app.control.inspect({ destination, timeout: TIMEOUT })
    const [stats, queues, names] = [
      await inspect.stats(),
      await inspect.activeQueues(),
      await inspect.registered(),
    ]
    expect(stats[destination]).toMatchObject({ pid: two.pid, total: {} })
    expect(queues[destination]).toMatchObject([{ name: 'celery', routing_key: 'celery' }])
    expect(names[destination]).toContain('pytasks.add')

    const restart = await app.control.poolRestart({ reply: true, destination, timeout: TIMEOUT })
    expect(restart[destination]).toEqual({ error: expect.stringContaining('not enabled') as string })
    const limited = await app.control.rateLimit('pytasks.add', '5/m', {
      reply: true,
      destination,
      timeout: TIMEOUT,
    })
    expect(limited[destination]).toEqual({ ok: 'new rate limit set successfully' })
    const unknown = await app.control.broadcast('no_such', {}, { reply: true, destination, timeout: TIMEOUT })
    expect(unknown[destination]).toEqual({ error: expect.stringContaining('no_such') as string })

    // Nothing of all that is left behind.
    expect(await redisClient(url).keys('*reply.celery.pidbox*')).toEqual([])

    await app.control.shutdown({ destination: [one.nodeName, two.nodeName] })
    await Promise.all([one, two].map((worker) => worker.waitForLine(/Got shutdown from remote/, TIMEOUT)))
  })

  it('revokes and ends tasks there, and sizes and restarts its pool', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const conf = { worker_pool_restarts: true }
    const worker = await startPythonWorker({ broker: url, python, concurrency: 1, conf })
    const options = { reply: true, destination: worker.nodeName, timeout: TIMEOUT }
    const running = await app.sendTask('pytasks.hold', ['held'])
    await eventually(() => redisClient(url).lpop('held:started'))
    const waiting = await app.sendTask('pytasks.add', [1, 2])
    const info = await eventually(async () => {
      const { [worker.nodeName]: found } = await app.control
        .inspect({ destination: worker.nodeName, timeout: TIMEOUT })
        .queryTask([running.id, waiting.id])
      return Object.keys(found ?? {}).length === 2 && found
    })
    expect(info).toMatchObject({ [running.id]: ['active', {}], [waiting.id]: ['reserved', {}] })

    await app.control.revoke(waiting.id, options)
    await app.control.terminate(running.id, { ...options, killSignal: 'SIGKILL' })
    for (const result of [running, waiting]) {
      await expect(result.get({ timeout: TIMEOUT })).rejects.toThrow(/terminated|revoked/)
    }

    const told = (text: string): unknown => ({ [worker.nodeName]: { ok: text } })
    expect(await app.control.poolGrow(1, options)).toEqual(told('pool will grow'))
    // Refused as long as Celery takes the children for busy, of which it has just lost one.
    await vi.waitFor(
      async () => expect(await app.control.poolShrink(1, options)).toEqual(told('pool will shrink')),
      { timeout: TIMEOUT, interval: 200 },
    )
    const slow = await app.sendTask('pytasks.sleep', [60], {}, { timeLimit: 1 })
    await expect(slow.get({ timeout: TIMEOUT })).rejects.toMatchObject({ excType: 'TimeLimitExceeded' })
    expect(await app.control.poolRestart(options)).toEqual(told('reload started'))
  })
})
