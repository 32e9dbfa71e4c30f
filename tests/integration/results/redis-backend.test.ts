import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { AsyncResult } from '../../../src/results/async-result.js'
import { ResultSet } from '../../../src/results/result-set.js'
import { serializerNamed } from '../../../src/serialization/serializers.js'
import { describeGroupsAndChords } from './chord-conformance.js'
import { describeGroupResults } from './group-conformance.js'
import { backendSite } from './backend-site.js'
import { describeResultBackend, stored } from './conformance.js'
import { redisClient } from '../../support/redis-server.js'
import { startProxy } from '../../support/tcp-proxy.js'

const site = backendSite()
const { makeBackend } = site

describe('Redis result backend', () => {
  describeResultBackend(makeBackend)
  describeGroupsAndChords(makeBackend)
  describeGroupResults(makeBackend)

  it('Must 10.1, 10.2, 10.6: stores with a TTL and publishes the same text on the channel of the key', async () => {
    const backend = await makeBackend()
    const redis = redisClient(site.server.url)
    const listener = redisClient(site.server.url)
    const id = randomUUID()
    const key = `celery-task-meta-${id}`
    await listener.subscribe(key)
    const published = new Promise((resolve) => listener.on('message', (_channel, text) => resolve(text)))
    const result = stored(id, 'SUCCESS', 5, { expiresSeconds: 86_400 })
    await backend.store([result])
    expect(await published).toBe(result.text)
    expect(await redis.get(key)).toBe(result.text)
    expect(await redis.ttl(key)).toBeGreaterThan(86_390)
  })

  it('Must 10.2: stores without a TTL where results are kept for ever', async () => {
    const backend = await makeBackend()
    const redis = redisClient(site.server.url)
    const id = randomUUID()
    await backend.store([stored(id, 'SUCCESS', 5, { expiresSeconds: 0 })])
    expect(await redis.ttl(`celery-task-meta-${id}`)).toBe(-1)
  })

  it('protects a SUCCESS that another writer stored with other spacing or key order', async () => {
    const backend = await makeBackend()
    const redis = redisClient(site.server.url)
    for (const text of [
      '{"status":"SUCCESS","result":1,"task_id":"x"}',
      '{"task_id": "x", "result": 1, "status": "SUCCESS"}',
    ]) {
      const id = randomUUID()
      await redis.set(`celery-task-meta-${id}`, text)
      await backend.store([stored(id, 'FAILURE', null)])
      expect(await redis.get(`celery-task-meta-${id}`)).toBe(text)
    }
  })

  it.each([
    ['res', 'res_'],
    ['res:', 'res:'],
    ['res-', 'res-'],
    ['res.', 'res.'],
    ['res_', 'res_'],
  ])('Must 9.2: puts the key prefix %j in front as %j', async (globalKeyprefix, prefix) => {
    const backend = await makeBackend({ globalKeyprefix })
    const redis = redisClient(site.server.url)
    const id = randomUUID()
    await backend.store([stored(id, 'SUCCESS', 1)])
    expect(await redis.exists(`${prefix}celery-task-meta-${id}`)).toBe(1)
  })

  it('keeps a result of bytes (msgpack) as it is', async () => {
    const serializer = serializerNamed('msgpack')
    const backend = await makeBackend({ serializer })
    const id = randomUUID()
    const text = serializer.encode({ status: 'SUCCESS', result: 5, task_id: id })
    await backend.store([{ taskId: id, text, expiresSeconds: 60 }])
    expect(await backend.wait(id, { timeoutMs: 5000 })).toMatchObject({ status: 'SUCCESS', result: 5 })
  })

  it('row 39: looks again where it could not look for what was stored before one waited', async () => {
    const redis = redisClient(site.server.url)
    await redis.call('ACL', 'SETUSER', 'shy', 'on', '>secret', '~*', '&*', '+@all', '-mget')
    const backend = await makeBackend({}, site.server.url.replace('//', '//shy:secret@'))
    const id = randomUUID()
    await backend.store([stored(id, 'SUCCESS', 5)])
    const waiting = backend.wait(id, { timeoutMs: 10_000 })
    await expect.poll(async () => JSON.stringify(await redis.call('ACL', 'LOG'))).toContain('mget')
    await redis.call('ACL', 'SETUSER', 'shy', '+mget')
    expect(await waiting).toMatchObject({ status: 'SUCCESS', result: 5 })
  })

  it.each(['not JSON', '[1]', '{"status": "SUCCESS"}'])('says whose result %j is none', async (text) => {
    const backend = await makeBackend()
    const redis = redisClient(site.server.url)
    const id = randomUUID()
    await redis.set(`celery-task-meta-${id}`, text)
    const result = new AsyncResult(id, backend)
    const other = new AsyncResult(randomUUID(), backend)
    const set = new ResultSet([other, result], backend)
    for (const ask of [() => result.state(), () => result.get({ timeout: 50 }), () => set.join()]) {
      await expect(ask()).rejects.toMatchObject({
        code: 'UNREADABLE_RESULT',
        message: expect.stringContaining(`task ${id}: `) as string,
      })
    }
  })

  it('waits for any number of tasks on one connection, and leaves no subscription behind', async () => {
    const backend = await makeBackend()
    const redis = redisClient(site.server.url)
    const ids = Array.from({ length: 100 }, () => randomUUID())
    const waits = ids.map((id) => backend.wait(id, { timeoutMs: 10_000 }))
    const subscribed = async (): Promise<number> => {
      const channels = (await redis.call('PUBSUB', 'CHANNELS', 'celery-task-meta-*')) as string[]
      return ids.filter((id) => channels.includes(`celery-task-meta-${id}`)).length
    }
    await vi.waitFor(async () => expect(await subscribed()).toBe(100), { timeout: 5000 })
    const clients = String(await redis.call('CLIENT', 'LIST', 'TYPE', 'PUBSUB'))
    expect(clients.split('\n').filter((line) => / sub=100 /.test(line))).toHaveLength(1)
    await backend.store(ids.map((id) => stored(id, 'SUCCESS', 1)))
    await Promise.all(waits)
    await vi.waitFor(async () => expect(await subscribed()).toBe(0), { timeout: 5000 })
  })

  it('row 39: a wait survives a cut connection, also when the result was stored meanwhile', async () => {
    const proxy = await startProxy({ port: site.server.port })
    const behindProxy = await makeBackend({}, `redis://127.0.0.1:${proxy.port}/0`)
    const direct = await makeBackend()
    const redis = redisClient(site.server.url)
    const id = randomUUID()
    const waiting = behindProxy.wait(id, { timeoutMs: 20_000 })
    const channels = (): Promise<unknown> => redis.call('PUBSUB', 'NUMSUB', `celery-task-meta-${id}`)
    await vi.waitFor(async () => expect(await channels()).toEqual([`celery-task-meta-${id}`, 1]), {
      timeout: 5000,
    })
    proxy.pause()
    proxy.cut()
    await direct.store([stored(id, 'SUCCESS', 'stored meanwhile')])
    proxy.resume()
    expect(await waiting).toMatchObject({ result: 'stored meanwhile' })
  })
})
