import { describe, expect, it, vi } from 'vitest'
import { apiForTests } from './api-for-tests.js'
import { Celery } from '../../../src/index.js'

it('GET /healthz says that it is alive', async () => {
  const { server } = await apiForTests()
  const answer = await server.inject({ url: '/healthz' })
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).toEqual({ status: 'ok' })
})

describe('GET /readiness', () => {
  it('is 200 in memory, where there is no Redis to wait for', async () => {
    const { server } = await apiForTests()
    const answer = await server.inject({ url: '/readiness' })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({
      redis: { configured: false, ok: true, details: 'not configured' },
      broker: { configured: true, ok: true, details: 'ok: memory, 0 ms' },
      results: { configured: true, ok: true, details: 'ok: memory, 0 ms' },
    })
  })

  it('says that no results are kept', async () => {
    const { server } = await apiForTests({ app: new Celery('test', { broker: 'memory://' }) })
    expect((await server.inject({ url: '/readiness' })).json()).toMatchObject({
      results: { configured: false, ok: true, details: 'not configured' },
    })
  })

  it('is 503 within about a second when a connection does not answer at all', async () => {
    const { app, server } = await apiForTests()
    vi.spyOn(app.broker, 'ping').mockReturnValue(new Promise(() => undefined))
    const start = performance.now()
    const answer = await server.inject({ url: '/readiness' })
    expect(performance.now() - start).toBeLessThan(2000)
    expect(answer.statusCode).toBe(503)
    expect(answer.json()).toMatchObject({
      broker: { configured: true, ok: false, details: 'failed: memory, no answer within 1000 ms' },
      results: { ok: true },
    })
  })

  it('names why, and no address', async () => {
    const { app, server } = await apiForTests()
    const refused = Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:6379'), { code: 'ECONNREFUSED' })
    vi.spyOn(app.broker, 'ping').mockRejectedValue(new Error('not ready', { cause: refused }))
    const answer = await server.inject({ url: '/readiness' })
    expect(answer.json()).toMatchObject({ broker: { ok: false, details: 'failed: memory, ECONNREFUSED' } })
    expect(answer.body).not.toContain('10.1.2.3')
  })
})

describe('GET /metrics', () => {
  it('tells how long queues are, and how many messages were set aside', async () => {
    const { app, server } = await apiForTests({
      register: (celery) => void celery.task('r', { queue: 'reports' }, () => 1),
    })
    await app.sendTask('x')
    await app.sendTask('x')
    await app.sendTask('r')
    const { body, headers } = await server.inject({ url: '/metrics' })
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(body).toMatch(/^celery_queue_length\{queue_name="celery"\} 2$/m)
    expect(body).toMatch(/^celery_queue_length\{queue_name="reports"\} 1$/m)
    expect(body).toMatch(/^lovage_dead_letters 0$/m)
    expect(body).toMatch(/^lovage_scrape_errors 0$/m)
    expect(body).toMatch(/^lovage_process_resident_memory_bytes \d+$/m)
  })

  it('tells how long requests took, by route and not by URL', async () => {
    const { server } = await apiForTests()
    await server.inject({ url: '/api/tasks/some-id' })
    await server.inject({ url: '/nowhere' })
    const { body } = await server.inject({ url: '/metrics' })
    expect(body).toContain(
      'lovage_http_request_duration_seconds_count{method="GET",route="/api/tasks/:id",status="200"} 1',
    )
    expect(body).toContain(
      'lovage_http_request_duration_seconds_count{method="GET",route="none",status="404"} 1',
    )
    expect(body).not.toContain('some-id')
  })

  it('leaves out what cannot be read, and counts that', async () => {
    const { app, server } = await apiForTests()
    await server.inject({ url: '/metrics' })
    vi.spyOn(app.broker, 'backlog').mockRejectedValue(new Error('no Redis'))
    vi.spyOn(app.broker.deadLetters, 'count').mockReturnValue(new Promise(() => undefined))
    const { statusCode, body } = await server.inject({ url: '/metrics' })
    expect(statusCode).toBe(200)
    expect(body).not.toMatch(/^celery_queue_length\{/m)
    expect(body).not.toMatch(/^lovage_dead_letters /m)
    expect(body).toMatch(/^lovage_scrape_errors 2$/m)
  })

  it('keeps the numbers of two servers in one process apart', async () => {
    const first = await apiForTests()
    const second = await apiForTests()
    await first.server.inject({ url: '/healthz' })
    const { body } = await second.server.inject({ url: '/metrics' })
    expect(body).not.toContain('route="/healthz"')
  })
})

it('logs each answer by its route, and probes only for debugging', async () => {
  const { server, log } = await apiForTests()
  await server.inject({ url: '/api/tasks/some-id?wait=0' })
  await server.inject({ url: '/healthz' })
  const ms = expect.any(Number) as number
  expect(log.lines).toEqual([
    {
      level: 'info',
      message: 'request',
      fields: { method: 'GET', route: '/api/tasks/:id', status: 200, ms },
    },
    { level: 'debug', message: 'request', fields: { method: 'GET', route: '/healthz', status: 200, ms } },
  ])
})
