import { describe, expect, it, vi } from 'vitest'
import { apiForTests } from './api-for-tests.js'
import type { Celery } from '../../../src/index.js'

const register = { register: (app: Celery) => void app.task('t', () => 1) }
const json = { 'content-type': 'application/json' }

describe('an error', () => {
  it('is 404 for an unknown URL', async () => {
    const { server } = await apiForTests()
    const answer = await server.inject({ url: '/api/nowhere?secret=1' })
    expect(answer.statusCode).toBe(404)
    expect(answer.json()).toEqual({
      error: { code: 'NOT_FOUND', message: 'there is nothing at /api/nowhere' },
    })
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
  })

  it.each([
    ['PUT', '/api/tasks/t', ['DELETE', 'GET', 'HEAD', 'POST']],
    ['DELETE', '/healthz', ['GET', 'HEAD']],
    ['GET', '/api/reports', ['POST']],
    ['OPTIONS', '/api/reports/r/download', ['GET', 'HEAD']],
  ] as const)('is 405 for %s %s, with the methods that are answered', async (method, url, allowed) => {
    const { server } = await apiForTests()
    const answer = await server.inject({ method, url })
    expect(answer.statusCode).toBe(405)
    expect(String(answer.headers.allow).split(', ').sort()).toEqual([...allowed])
    expect(answer.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } })
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml'])(
    'is 415 for a body of %s',
    async (type) => {
      const { server } = await apiForTests(register)
      const answer = await server.inject({
        method: 'POST',
        url: '/api/tasks/t',
        headers: { 'content-type': type },
        payload: 'a=1',
      })
      expect(answer.statusCode).toBe(415)
      expect(answer.json()).toMatchObject({ error: { code: 'UNSUPPORTED_MEDIA_TYPE' } })
    },
  )

  it.each(['{"args": [1,]}', '{', 'nonsense', '[1'])('is 400 for the broken JSON %s', async (payload) => {
    const { server } = await apiForTests(register)
    const answer = await server.inject({ method: 'POST', url: '/api/tasks/t', headers: json, payload })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { code: 'INVALID_JSON' } })
  })

  it.each(['[]', '"text"', '7'])('is 400 for the body %s, which is no object', async (payload) => {
    const { server } = await apiForTests(register)
    const answer = await server.inject({ method: 'POST', url: '/api/tasks/t', headers: json, payload })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { code: 'INVALID_REQUEST' } })
  })

  it('is 413 for a body over 1 MiB', async () => {
    const { server } = await apiForTests(register)
    const statusOf = async (letters: number) => {
      const payload = JSON.stringify({ args: ['x'.repeat(letters)] })
      return (await server.inject({ method: 'POST', url: '/api/tasks/t', headers: json, payload })).statusCode
    }
    expect(await statusOf(1024 ** 2)).toBe(413)
    expect(await statusOf(1024 ** 2 - 100)).toBe(202)
  })

  it('is 413 with its code', async () => {
    const { server } = await apiForTests(register)
    const payload = JSON.stringify({ args: ['x'.repeat(1024 ** 2)] })
    const answer = await server.inject({ method: 'POST', url: '/api/tasks/t', headers: json, payload })
    expect(answer.json()).toMatchObject({ error: { code: 'BODY_TOO_LARGE' } })
  })

  it('is 400 for a URL that cannot be decoded', async () => {
    const { server } = await apiForTests()
    const answer = await server.inject({ url: '/api/tasks/%zz' })
    expect(answer.statusCode).toBe(400)
    expect(answer.json()).toMatchObject({ error: { code: 'BAD_REQUEST' } })
  })

  it('tells nothing of what went wrong inside, and the log everything', async () => {
    const { app, server, log } = await apiForTests()
    const fault = new Error('cannot reach redis://user:hunter2@10.1.2.3')
    vi.spyOn(app.backend, 'fetch').mockRejectedValue(fault)
    const answer = await server.inject({ url: '/api/tasks/t' })
    expect(answer.statusCode).toBe(500)
    expect(answer.json()).toEqual({ error: { code: 'INTERNAL_ERROR', message: 'internal error' } })
    expect(log.lines).toContainEqual({
      level: 'error',
      message: 'a request failed',
      fields: { method: 'GET', route: '/api/tasks/:id', code: 'INTERNAL_ERROR', err: fault },
    })
  })

  it('does not pollute prototypes with a body', async () => {
    const { server, sent } = await apiForTests(register)
    const payload = '{"kwargs": {"__proto__": {"polluted": true}}}'
    await server.inject({ method: 'POST', url: '/api/tasks/t', headers: json, payload })
    await sent()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe('every answer', () => {
  it.each(['/api/tasks/t', '/nowhere', '/healthz'])(
    'of %s says that it is not to be guessed at nor kept',
    async (url) => {
      const { server } = await apiForTests()
      const { headers } = await server.inject({ url })
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['cache-control']).toBe('no-store')
    },
  )
})
