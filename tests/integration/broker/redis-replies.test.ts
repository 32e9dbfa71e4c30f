import { expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { createRedisBroker } from '../../../src/broker/redis-broker.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { silentLog } from '../../../src/log.js'
import type { Broker } from '../../../src/broker/broker.js'

const BINDINGS = '_kombu.binding.reply.celery.pidbox'

async function makeBroker(url: string): Promise<Broker> {
  const broker = createRedisBroker({ connection: { url }, log: silentLog })
  atTestEnd(() => broker.close())
  await broker.ping(5000)
  return broker
}

it('row 11: replies to who has left, or was killed, leave nothing behind', async () => {
  const { url } = await startRedis()
  const redis = redisClient(url)
  const [asking, answering] = [await makeBroker(url), await makeBroker(url)]
  const queue = await asking.replies.receive('reply.celery.pidbox', () => undefined)
  const { routingKey } = queue.address
  const list = `${routingKey}.reply.celery.pidbox`
  expect(await redis.smembers(BINDINGS)).toEqual([`${routingKey}\x06\x16\x06\x16${list}`])
  await queue.close()
  expect(await redis.exists(BINDINGS, list)).toBe(0)

  // One that was killed leaves its binding.
  await redis.sadd(BINDINGS, 'killed\x06\x16\x06\x16killed.reply.celery.pidbox')
  await answering.replies.send({ exchange: 'reply.celery.pidbox', routingKey: 'killed' }, 'to nobody')
  const ttl = await redis.ttl('killed.reply.celery.pidbox')
  expect(ttl).toBeGreaterThan(0)
  expect(ttl).toBeLessThanOrEqual(60)
})
