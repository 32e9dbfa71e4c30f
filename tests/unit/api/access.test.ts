import { describe, expect, it } from 'vitest'
import { apiForTests } from './api-for-tests.js'
import type { InjectOptions } from 'fastify'

describe('without tokens', () => {
  const statusOf = async (options: InjectOptions) => {
    const { server } = await apiForTests()
    return (await server.inject({ url: '/api/tasks/t', ...options })).statusCode
  }

  it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])('answers %s', async (remoteAddress) => {
    expect(await statusOf({ remoteAddress })).toBe(200)
  })

  it.each(['10.0.0.7', '192.168.1.2', '2001:db8::1', '::ffff:10.0.0.7', '128.0.0.1'])(
    'refuses %s',
    async (remoteAddress) => {
      expect(await statusOf({ remoteAddress })).toBe(403)
    },
  )

  it.each(['localhost', 'localhost:8000', '127.0.0.1:8000', '[::1]:8000', 'api.localhost'])(
    'answers to the name %s',
    async (host) => {
      expect(await statusOf({ headers: { host } })).toBe(200)
    },
  )

  it.each(['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:8000', 'a@b'])(
    'refuses the name %s, which may have been bound to 127.0.0.1',
    async (host) => {
      expect(await statusOf({ headers: { host } })).toBe(403)
    },
  )

  it('refuses what a page from elsewhere makes a local browser send', async () => {
    expect(await statusOf({ headers: { origin: 'https://evil.example' } })).toBe(403)
    expect(await statusOf({ headers: { origin: 'null' } })).toBe(403)
    expect(await statusOf({ headers: { origin: 'http://localhost:3000' } })).toBe(200)
  })

  it('refuses what a proxy has passed on', async () => {
    expect(await statusOf({ headers: { 'x-forwarded-for': '203.0.113.9' } })).toBe(403)
    expect(await statusOf({ headers: { forwarded: 'for=203.0.113.9' } })).toBe(403)
  })

  it('says what to do', async () => {
    const { server } = await apiForTests()
    const answer = await server.inject({ url: '/api/tasks/t', remoteAddress: '10.0.0.7' })
    expect(answer.json()).toMatchObject({
      error: { code: 'LOCAL_REQUESTS_ONLY', message: expect.stringContaining('API_TOKENS') as string },
    })
  })
})

describe('with tokens', () => {
  const ask = async (authorization?: string, options: InjectOptions = {}) => {
    const { server } = await apiForTests({ tokens: ['first-token', 'second-token'] })
    const headers = authorization === undefined ? {} : { authorization }
    return server.inject({ url: '/api/tasks/t', remoteAddress: '203.0.113.9', headers, ...options })
  }

  it.each(['Bearer first-token', 'Bearer second-token', 'bearer  first-token'])(
    'answers %s',
    async (authorization) => {
      expect((await ask(authorization)).statusCode).toBe(200)
    },
  )

  it.each([
    'Bearer wrong',
    'Bearer first-toke',
    'Bearer first-token,second-token',
    'Bearer ',
    'Basic first-token',
    'first-token',
  ])('refuses %s', async (authorization) => {
    const answer = await ask(authorization)
    expect(answer.statusCode).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer')
    expect(answer.body).not.toContain('first-token')
  })

  it('needs one from this machine, too', async () => {
    expect((await ask(undefined, { remoteAddress: '127.0.0.1' })).statusCode).toBe(401)
  })

  it.each(['/metrics', '/api/docs', '/api/openapi.json', '/api/reports/r', '/nowhere'])(
    'keeps %s closed',
    async (url) => {
      expect((await ask(undefined, { url })).statusCode).toBe(401)
    },
  )

  it.each(['/healthz', '/readiness'])('leaves %s open', async (url) => {
    expect((await ask(undefined, { url })).statusCode).toBe(200)
  })
})
