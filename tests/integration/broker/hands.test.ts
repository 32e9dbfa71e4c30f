import { expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { createRedisBroker } from '../../../src/broker/redis-broker.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { send, taskOf } from './conformance.js'
import { silentLog } from '../../../src/log.js'
import type { Broker, Consumer } from '../../../src/broker/broker.js'

/** A consumer that knows what it claims, and another by the same name whose claims it knows nothing of. */
async function setup(
  leaseMs: number,
): Promise<{ broker: Broker; consumer: Consumer; forgetful: Consumer; url: string }> {
  const { url } = await startRedis()
  const open = (): Broker => {
    const broker = createRedisBroker({ connection: { url }, log: silentLog, leaseMs })
    atTestEnd(() => broker.close())
    return broker
  }
  const options = { queues: ['q'], consumerId: 'worker' }
  const [broker, other] = [open(), open()]
  await Promise.all([broker.ping(5000), other.ping(5000)])
  const consumer = broker.consumer(options)
  await consumer.start()
  atTestEnd(() => consumer.stop())
  return { broker, consumer, forgetful: other.consumer(options), url }
}

it('takes over what a claim got that was executed after it was given up', async () => {
  const { broker, consumer, forgetful, url } = await setup(300)
  for (const task of ['a', 'b']) await send(broker, 'q', task)
  const known = (await consumer.claim(1)).deliveries
  expect(known.map(taskOf)).toEqual(['a'])
  await forgetful.claim(1)

  // Found by a renewal of the lease, and handed over by the claim after that.
  const recovered = await vi.waitFor(async () => {
    const { deliveries } = await consumer.claim(5)
    expect(deliveries).not.toEqual([])
    return deliveries
  })
  expect(recovered.map(taskOf)).toEqual(['b'])
  await consumer.ack([...known, ...recovered])
  expect(await redisClient(url).exists('unacked', 'unacked_index', 'lovage.held.worker')).toBe(0)
})

it('forgets a tag whose message is gone, instead of renewing it for ever', async () => {
  const { consumer, url } = await setup(300)
  const redis = redisClient(url)
  await redis.sadd('lovage.held.worker', 'restored-by-python')

  await vi.waitFor(async () => {
    expect((await consumer.claim(5)).deliveries).toEqual([])
    expect(await redis.exists('lovage.held.worker')).toBe(0)
  })
})

it('leaves a message that it requeued, and claimed again, to the new delivery', async () => {
  const { broker, consumer } = await setup(30_000)
  await send(broker, 'q', 'a')
  const [first] = (await consumer.claim(1)).deliveries
  if (first === undefined) throw new Error('nothing was claimed')
  await consumer.requeue(first)
  const [second] = (await consumer.claim(1)).deliveries

  // As a hand-over is repeated whose reply was lost.
  await consumer.requeue(first)
  await consumer.park(first, new Date(Date.now() + 60_000))

  expect(second?.tag).toBe(first.tag)
  expect(await broker.queueLength('q')).toBe(0)
  await consumer.ack([first])
})
