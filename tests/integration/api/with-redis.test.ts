import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { buildServer } from '../../../src/api/build-server.js'
import { Celery } from '../../../src/index.js'
import { freePort } from '../../support/free-port.js'
import { redisForTests } from '../../support/redis.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { startRedis } from '../../support/redis-server.js'
import type { ApiServer } from '../../../src/api/api-server.js'

async function apiOn(url: string, prefix = ''): Promise<{ app: Celery; server: ApiServer }> {
  const app = new Celery('test', {
    broker: url,
    backend: url,
    brokerTransportOptions: { globalKeyprefix: prefix },
    resultBackendTransportOptions: { globalKeyprefix: prefix },
    publishTimeoutMs: 500,
  })
  app.task('math.add', (x: number, y: number) => x + y)
  const server = await buildServer({ app, artifactDir: '/nowhere' })
  onTestFinished(async () => {
    await server.close()
    await app.close()
  })
  return { app, server }
}

describe('with Redis', () => {
  it('sends a task, a worker runs it, and its end ends the wait', async () => {
    await using redis = await redisForTests()
    const { app, server } = await apiOn(redis.url, redis.prefix)
    await using _worker = await app.startWorker()
    const sent = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: { args: [40, 2] },
    })
    const { task_id: id } = sent.json<{ task_id: string }>()
    const answer = await server.inject({ url: `/api/tasks/${id}?wait=20` })
    expect(answer.json()).toMatchObject({ state: 'SUCCESS', result: 42, ready: true })
  })

  it('is ready', async () => {
    await using redis = await redisForTests()
    const { server } = await apiOn(redis.url, redis.prefix)
    const answer = await server.inject({ url: '/readiness' })
    expect(answer.statusCode).toBe(200)
    const good = {
      configured: true,
      ok: true,
      details: expect.stringMatching(/^ok: redis, \d+ ms$/) as string,
    }
    expect(answer.json()).toEqual({ redis: good, broker: good, results: good })
  })

  it('tells the lengths of its queues', async () => {
    await using redis = await redisForTests()
    const { app, server } = await apiOn(redis.url, redis.prefix)
    await app.sendTask('math.add', [1, 2])
    await app.sendTask('math.add', [1, 2], {}, { priority: 9 })
    const { body } = await server.inject({ url: '/metrics' })
    expect(body).toMatch(/^celery_queue_length\{queue_name="celery"\} 2$/m)
    expect(body).toMatch(/^lovage_scrape_errors 0$/m)
  })
})

describe('without Redis', () => {
  const nowhere = async () => apiOn(`redis://:hunter2@127.0.0.1:${await freePort()}/0`)

  it('is alive and not ready, and says why without an address or a secret', async () => {
    const { server } = await nowhere()
    expect((await server.inject({ url: '/healthz' })).statusCode).toBe(200)
    const answer = await server.inject({ url: '/readiness' })
    expect(answer.statusCode).toBe(503)
    const bad = { configured: true, ok: false, details: 'failed: redis, ECONNREFUSED' }
    expect(answer.json()).toEqual({ redis: bad, broker: bad, results: bad })
  })

  it('answers 503 to who sends, within the time limit, and says that nothing was sent', async () => {
    const { server } = await nowhere()
    const start = performance.now()
    const answer = await server.inject({
      method: 'POST',
      url: '/api/tasks/math.add',
      payload: { args: [1, 2] },
    })
    expect(performance.now() - start).toBeLessThan(3000)
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBeDefined()
    expect(answer.json()).toMatchObject({
      error: { code: 'PUBLISH_TIMEOUT', details: { may_have_been_sent: false } },
    })
    expect(answer.body).not.toMatch(/hunter2|127\.0\.0\.1/)
  })

  it('answers 503 to who asks for a result', async () => {
    const { server } = await nowhere()
    const answer = await server.inject({ url: '/api/tasks/t' })
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({ error: { code: 'REDIS_UNAVAILABLE' } })
    expect(answer.body).not.toMatch(/hunter2|127\.0\.0\.1/)
  })

  it('gives metrics all the same', async () => {
    const { server } = await nowhere()
    const { statusCode, body } = await server.inject({ url: '/metrics' })
    expect(statusCode).toBe(200)
    expect(body).toMatch(/^lovage_scrape_errors 2$/m)
    expect(body).not.toMatch(/^celery_queue_length\{/m)
  })
})

describe('when Redis goes silent and comes back', () => {
  it('is not ready within a second or so, and ready again', async () => {
    await using redis = await startRedis()
    await using proxy = await startProxy({ port: redis.port })
    const { server } = await apiOn(`redis://127.0.0.1:${proxy.port}/0`)
    expect((await server.inject({ url: '/readiness' })).statusCode).toBe(200)

    proxy.pause()
    const start = performance.now()
    const silent = await server.inject({ url: '/readiness' })
    expect(silent.statusCode).toBe(503)
    expect(performance.now() - start).toBeLessThan(2500)
    expect(silent.json()).toMatchObject({
      redis: { ok: false, details: 'failed: redis, no answer within 1000 ms' },
    })

    proxy.resume()
    await vi.waitFor(
      async () => expect((await server.inject({ url: '/readiness' })).statusCode).toBe(200),
      5000,
    )
  })
})
