import { describe, expect, it } from 'vitest'
import { PublishError, type AppOptions, type Celery } from '../../../src/index.js'
import { eventually } from '../../support/eventually.js'
import { freePort } from '../../support/free-port.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { testApp } from '../../support/test-app.js'

const PUBLISH_TIMEOUT_MS = 400
/** For a machine that has other things to do as well; a hang would last for ever. */
const SLACK_MS = 1500

function appAt(port: number, settings: AppOptions = {}): Celery {
  return testApp(`redis://127.0.0.1:${port}/0`, { publishTimeoutMs: PUBLISH_TIMEOUT_MS, ...settings })
}

/** What became of a call, which has to be known in time. */
async function outcomeOf(send: () => Promise<unknown>): Promise<'sent' | PublishError> {
  const startedAt = performance.now()
  try {
    await send()
    return 'sent'
  } catch (error) {
    if (!(error instanceof PublishError)) throw error
    return error
  } finally {
    expect(performance.now() - startedAt).toBeLessThan(PUBLISH_TIMEOUT_MS + SLACK_MS)
  }
}

describe('row 15: sending settles within publishTimeout and says whether the message may have been sent', () => {
  it('row 15: when nobody listens', async () => {
    const app = appAt(await freePort())
    expect(await outcomeOf(() => app.sendTask('t'))).toMatchObject({
      code: 'PUBLISH_TIMEOUT',
      mayHaveBeenSent: false,
      message: expect.stringMatching(/^no connection to redis:.* in time: connect ECONNREFUSED /) as string,
    })
  })

  it('row 15: when the server was stopped meanwhile, and again when it is back', async () => {
    const redis = await startRedis()
    const app = appAt(redis.port)
    expect(await outcomeOf(() => app.sendTask('t'))).toBe('sent')
    await redis.process.stop()

    // As soon as it is known here that the connection has ended.
    await eventually(async () => {
      const outcome = await outcomeOf(() => app.sendTask('t'))
      return outcome !== 'sent' && !outcome.mayHaveBeenSent
    })
    await redis.restart()
    await eventually(async () => (await outcomeOf(() => app.sendTask('t'))) === 'sent')
    // None of those that were said not to be sent.
    expect(await app.broker.queueLength('celery')).toBe(1)
  })

  it('row 15: when the server is frozen, where the message is sent after all', async () => {
    const redis = await startRedis()
    const app = appAt(redis.port)
    await app.broker.ping(5000)
    redis.process.signal('SIGSTOP')

    expect(await outcomeOf(() => app.sendTask('t'))).toMatchObject({
      code: 'PUBLISH_TIMEOUT',
      mayHaveBeenSent: true,
    })
    redis.process.signal('SIGCONT')
    const observer = redisClient(redis.url)
    await eventually(async () => (await observer.llen('celery')) === 1)
  })

  it('row 15: when the host vanished without closing anything', async () => {
    const redis = await startRedis()
    const proxy = await startProxy({ port: redis.port })
    const app = appAt(proxy.port, { brokerTransportOptions: { socketTimeout: 0.5 } })
    await app.broker.ping(5000)
    proxy.blackhole()

    // It was written, and only the answer is missing.
    expect(await outcomeOf(() => app.sendTask('t'))).toMatchObject({ mayHaveBeenSent: true })
    // The connection has been given up, and no new one answers.
    await eventually(async () => {
      const outcome = await outcomeOf(() => app.sendTask('t'))
      return outcome !== 'sent' && !outcome.mayHaveBeenSent
    })
    proxy.resume()
    await eventually(async () => (await outcomeOf(() => app.sendTask('t'))) === 'sent')
  })

  it('row 15: when the connection breaks between the message and its confirmation', async () => {
    const redis = await startRedis()
    const proxy = await startProxy({ port: redis.port })
    const app = appAt(proxy.port)
    await app.broker.ping(5000)
    proxy.pause()
    const outcome = outcomeOf(() => app.sendTask('t'))
    await new Promise((resolve) => setImmediate(resolve))
    proxy.cut()

    expect(await outcome).toMatchObject({ code: 'PUBLISH_INTERRUPTED', mayHaveBeenSent: true })
  })

  it('row 15: when connections are refused', async () => {
    const redis = await startRedis()
    const proxy = await startProxy({ port: redis.port })
    proxy.refuse()
    const app = appAt(proxy.port)
    expect(await outcomeOf(() => app.sendTask('t'))).toMatchObject({ mayHaveBeenSent: false })
    proxy.resume()
    await eventually(async () => (await outcomeOf(() => app.sendTask('t'))) === 'sent')
  })

  it('row 15: when the server is out of memory', async () => {
    const redis = await startRedis()
    const app = appAt(redis.port)
    await redisClient(redis.url).config('SET', 'maxmemory', '1')
    expect(await outcomeOf(() => app.sendTask('t'))).toMatchObject({
      code: 'PUBLISH_REFUSED',
      mayHaveBeenSent: false,
      message: expect.stringContaining('OOM') as string,
    })
  })

  it('row 15: when the server is a replica, and says so', async () => {
    const redis = await startRedis({ args: ['--replicaof', '127.0.0.1', String(await freePort())] })
    const app = appAt(redis.port)
    await app.broker.ping(5000)
    expect(await outcomeOf(() => app.sendTask('t'))).toMatchObject({
      code: 'PUBLISH_TIMEOUT',
      mayHaveBeenSent: false,
      message: expect.stringMatching(/^redis:.* did not take it in time: READONLY/) as string,
    })
  })

  it('row 15: when the caller gives up', async () => {
    const app = appAt(await freePort(), { publishTimeoutMs: 60_000 })
    const reason = new Error('the request was cancelled')
    const controller = new AbortController()
    const outcome = outcomeOf(() => app.sendTask('t', [], {}, { signal: controller.signal }))
    controller.abort(reason)

    expect(await outcome).toMatchObject({ mayHaveBeenSent: false, cause: reason })
    expect(
      await outcomeOf(() => app.sendTask('t', [], {}, { signal: AbortSignal.abort(reason) })),
    ).toMatchObject({ mayHaveBeenSent: false, cause: reason })
  })

  it('row 15: by a call of its own patience', async () => {
    const app = appAt(await freePort(), { publishTimeoutMs: 60_000 })
    const outcome = await outcomeOf(() => app.sendTask('t', [], {}, { publishTimeoutMs: 50 }))
    expect(outcome).toMatchObject({ code: 'PUBLISH_TIMEOUT' })
  })

  it('row 15: of five seconds unless said otherwise', () => {
    expect(testApp('memory://').settings.publishTimeoutMs).toBe(5000)
  })

  it('row 15: without keeping more than a bounded number of messages', async () => {
    const app = appAt(await freePort())
    const outcomes = await Promise.all(
      Array.from({ length: 12_000 }, () => app.sendTask('t').catch((error: unknown) => error)),
    )
    const codes = outcomes.map((outcome) => (outcome as PublishError).code)
    expect(new Set(codes)).toEqual(new Set(['PUBLISH_TIMEOUT', 'OUTBOX_FULL']))
    expect(codes.filter((code) => code === 'PUBLISH_TIMEOUT').length).toBeLessThanOrEqual(10_000)
    expect(outcomes.every((outcome) => !(outcome as PublishError).mayHaveBeenSent)).toBe(true)
  })

  it('row 15: truthfully, whenever the connection breaks', async () => {
    const redis = await startRedis()
    const proxy = await startProxy({ port: redis.port })
    const app = appAt(proxy.port)
    const observer = redisClient(redis.url)
    const outcomes = new Map<string, 'sent' | 'maybe' | 'not sent'>()
    const cutting = setInterval(() => proxy.cut(), 40)

    let unsure = 0
    for (let i = 0; i < 400 || (unsure === 0 && i < 4000); i++) {
      const taskId = `t-${i}`
      const outcome = await outcomeOf(() => app.sendTask('t', [], {}, { taskId }))
      const told = outcome === 'sent' ? 'sent' : outcome.mayHaveBeenSent ? 'maybe' : 'not sent'
      if (told === 'maybe') unsure++
      outcomes.set(taskId, told)
    }
    clearInterval(cutting)

    const found = (await observer.lrange('celery', 0, -1)).map(
      (text) => (JSON.parse(text) as { headers: { id: string } }).headers.id,
    )
    expect(new Set(found).size).toBe(found.length)
    const queued = new Set(found)
    const wrong = [...outcomes].filter(
      ([id, told]) => told !== 'maybe' && queued.has(id) !== (told === 'sent'),
    )
    expect(wrong).toEqual([])
    expect(unsure).toBeGreaterThan(0)
  })
})
