import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { eventually } from '../support/eventually.js'
import { startLovageWorker } from '../support/lovage-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'

it('keeps the lease of a worker whose event loop stands still for longer than that', async () => {
  await using redis = await startRedis()
  const settings = { broker: redis.url, backend: redis.url, workerLease: 3 }
  const [blocked, peer] = await Promise.all([startLovageWorker(settings), startLovageWorker(settings)])
  const observer = redisClient(redis.url)
  const app = testApp(redis.url)
  const key = randomUUID()
  const sent = await app.sendTask('poison.block', [key, 8000])
  await sent.get({ timeout: 30_000 })
  expect(await observer.get(key)).toBe('1')
  const outputs = (): string => `${blocked.output()}${peer.output()}`
  expect(outputs()).not.toContain('put back the messages')
  await eventually(() =>
    /stood still for (?:[789]|\d\d)\d{3} ms,.* while these ran: poison\.block\[/.test(outputs()),
  )
})
