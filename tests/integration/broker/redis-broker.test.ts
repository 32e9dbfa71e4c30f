import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { createRedisBroker, type RedisBrokerOptions } from '../../../src/broker/redis-broker.js'
import { describeBroker, envelopeFor, send, startConsumer, taskOf } from './conformance.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { silentLog } from '../../../src/log.js'
import type { Broker } from '../../../src/broker/broker.js'

/** Far more than it takes: what is waited for comes within a lease. */
const WITHIN = { timeout: 10_000, interval: 20 }

let server: RedisServer
let prefixes = 0

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

async function makeBroker(options: Partial<RedisBrokerOptions> = {}): Promise<Broker & { prefix: string }> {
  const prefix = options.globalKeyprefix ?? `t${++prefixes}:`
  const connection = { url: server.url }
  const broker = createRedisBroker({ connection, log: silentLog, globalKeyprefix: prefix, ...options })
  atTestEnd(() => broker.close())
  await broker.ping(5000)
  return { ...broker, prefix }
}

describe('Redis broker', () => {
  describeBroker(makeBroker)

  describe('with keys as Python has them', () => {
    it('Must 5.1, 5.2: pushes to the list of the clamped priority and declares the binding', async () => {
      const { prefix, ...broker } = await makeBroker()
      const redis = redisClient(server.url)
      for (const priority of [0, 2, 3, 5, 6, 8, 9]) await send(broker, 'q', `p${priority}`, priority)
      const lists = ['q', 'q\x06\x163', 'q\x06\x166', 'q\x06\x169'].map((name) => prefix + name)
      const found = await Promise.all(lists.map((list) => redis.lrange(list, 0, -1)))
      expect(found.map((list) => list.map((envelope) => taskOf({ envelope })))).toEqual([
        ['p2', 'p0'],
        ['p5', 'p3'],
        ['p8', 'p6'],
        ['p9'],
      ])
      expect(await redis.smembers(`${prefix}_kombu.binding.q`)).toEqual(['q\x06\x16\x06\x16q'])
    })

    it('Must 7.1: records a claimed message in unacked and unacked_index', async () => {
      const { prefix, ...broker } = await makeBroker()
      const redis = redisClient(server.url)
      const envelope = envelopeFor('q', 'a')
      await broker.publish({ queue: 'q', priority: 0, envelope })
      const consumer = await startConsumer(broker, 'q')
      const { deliveries } = await consumer.claim(1)
      const { delivery_tag: tag } = (JSON.parse(envelope) as { properties: { delivery_tag: string } })
        .properties
      expect(deliveries[0]?.tag).toBe(tag)
      const record = await redis.hget(`${prefix}unacked`, tag)
      expect(JSON.parse(record ?? '')).toEqual([JSON.parse(envelope), '', 'q'])
      const score = Number(await redis.zscore(`${prefix}unacked_index`, tag))
      const [seconds] = await redis.time()
      expect(Math.abs(Number(seconds) - score)).toBeLessThan(5)
      await consumer.ack([tag])
      expect(await redis.exists(`${prefix}unacked`, `${prefix}unacked_index`)).toBe(0)
    })

    it('reads an envelope that is written unusually: other key order, spaces, no properties at all', async () => {
      const { prefix, ...broker } = await makeBroker()
      const redis = redisClient(server.url)
      const properties =
        '"properties" :\n{"delivery_info":{"routing_key":"q","exchange":""},"delivery_tag":"t-1"}'
      await redis.lpush(
        `${prefix}q`,
        `{ ${properties}, "headers": {"delivery_tag": "not this"}, "body": "" }`,
      )
      await redis.lpush(`${prefix}q`, '{"body": "x"}')
      const consumer = await startConsumer(broker, 'q')
      const { deliveries } = await consumer.claim(5)
      expect(deliveries).toHaveLength(2)
      expect(deliveries[0]?.tag).toBe('t-1')
      const records = await redis.hgetall(`${prefix}unacked`)
      expect(JSON.parse(records['t-1'] ?? '')).toMatchObject([{ body: '' }, '', 'q'])
      expect(JSON.parse(records[deliveries[1]?.tag ?? ''] ?? '')).toEqual([{ body: 'x' }, '', 'q'])
    })

    it('keeps bytes that are no text in the dead letters as they are', async () => {
      const { prefix, ...broker } = await makeBroker()
      const redis = redisClient(server.url)
      const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x7b])
      await redis.lpush(`${prefix}q`, bytes)
      const consumer = await startConsumer(broker, 'q')
      const { unreadable } = await consumer.claim(5)
      const id = unreadable[0]?.deadLetterId ?? ''
      expect(await redis.hgetBuffer(`${prefix}lovage.dead.elements`, id)).toEqual(bytes)
    })
  })

  describe('leases', () => {
    it('row 5: puts the messages of a dead consumer back within its lease, at the front, marked redelivered', async () => {
      const dead = await makeBroker({ leaseMs: 300 })
      const alive = await makeBroker({ leaseMs: 300, globalKeyprefix: dead.prefix })
      for (const task of ['a', 'b']) await send(alive, 'q', task)
      const doomed = dead.consumer({ queues: ['q'], consumerId: 'doomed' })
      await doomed.start()
      await doomed.claim(2)
      await send(alive, 'q', 'c')
      await dead.close()
      const consumer = await startConsumer(alive, 'q')
      await vi.waitFor(async () => expect(await alive.queueLength('q')).toBe(3), WITHIN)
      const { deliveries } = await consumer.claim(3)
      expect(new Set(deliveries.slice(0, 2).map(taskOf))).toEqual(new Set(['a', 'b']))
      expect(taskOf(deliveries[2] ?? { envelope: '' })).toBe('c')
      const redis = redisClient(server.url)
      const lease = (): Promise<string | null> => redis.zscore(`${dead.prefix}lovage.leases`, 'doomed')
      await vi.waitFor(async () => expect(await lease()).toBeNull(), WITHIN)
      expect(await redis.exists(`${dead.prefix}lovage.held.doomed`)).toBe(0)
    })

    it('leaves the messages of a living consumer alone for many leases', async () => {
      const broker = await makeBroker({ leaseMs: 1000, visibilityTimeoutMs: 1500 })
      await send(broker, 'q', 'a')
      const holder = await startConsumer(broker, 'q')
      await startConsumer(broker, 'q')
      const { deliveries } = await holder.claim(1)
      const redis = redisClient(server.url)
      const index = `${broker.prefix}unacked_index`
      const first = Number(await redis.zscore(index, deliveries[0]?.tag ?? ''))
      // The score moves on by more than the visibility timeout, so the message was held for longer than that.
      await vi.waitFor(async () => {
        expect(Number(await redis.zscore(index, deliveries[0]?.tag ?? ''))).toBeGreaterThan(first + 3)
      }, WITHIN)
      expect(await broker.queueLength('q')).toBe(0)
    })

    it('Must 7.2: an ack that comes after the message went to another consumer leaves it to that one', async () => {
      const slow = await makeBroker({ leaseMs: 200 })
      const broker = await makeBroker({ leaseMs: 200, globalKeyprefix: slow.prefix })
      await send(broker, 'q', 'a')
      // Never started, so nothing renews its lease: a process that hangs.
      const hanging = slow.consumer({ queues: ['q'], consumerId: 'hanging' })
      const redis = redisClient(server.url)
      await redis.zadd(`${slow.prefix}lovage.leases`, Date.now() / 1000 + 0.1, 'hanging')
      const { deliveries } = await hanging.claim(1)
      const consumer = await startConsumer(broker, 'q')
      await vi.waitFor(async () => expect(await broker.queueLength('q')).toBe(1), WITHIN)
      const again = await consumer.claim(1)
      expect(again.deliveries[0]?.tag).toBe(deliveries[0]?.tag)
      await hanging.ack([deliveries[0]?.tag ?? ''])
      expect(await redis.hlen(`${slow.prefix}unacked`)).toBe(1)
      await consumer.ack([deliveries[0]?.tag ?? ''])
      expect(await redis.hlen(`${slow.prefix}unacked`)).toBe(0)
    })

    it('Must 7.6: restores what a Python worker left unacked past the visibility timeout, to its own priority', async () => {
      const broker = await makeBroker({ visibilityTimeoutMs: 1000, leaseMs: 300 })
      const redis = redisClient(server.url)
      const envelope = envelopeFor('q', 'python', 6)
      await redis.hset(`${broker.prefix}unacked`, 'tag-1', `[${envelope}, "", "q"]`)
      await redis.zadd(`${broker.prefix}unacked_index`, Date.now() / 1000 - 10, 'tag-1')
      await redis.hset(`${broker.prefix}unacked`, 'tag-2', 'not a record')
      await redis.zadd(`${broker.prefix}unacked_index`, Date.now() / 1000 - 10, 'tag-2')
      await startConsumer(broker, 'q')
      const list = `${broker.prefix}q\x06\x166`
      await vi.waitFor(async () => expect(await redis.llen(list)).toBe(1), WITHIN)
      const restored = JSON.parse((await redis.lindex(list, 0)) ?? '') as Record<string, unknown>
      expect(restored).toMatchObject({ headers: { redelivered: true, task: 'python' } })
      // Must 7.9: what cannot be read stays where it is.
      expect(await redis.hkeys(`${broker.prefix}unacked`)).toEqual(['tag-2'])
      expect(await redis.exists(`${broker.prefix}unacked_mutex`)).toBe(0)
    })

    it('leaves nothing behind when it stops empty-handed', async () => {
      const broker = await makeBroker()
      const consumer = broker.consumer({ queues: ['q'], consumerId: 'tidy' })
      await consumer.start()
      await consumer.stop()
      const redis = redisClient(server.url)
      expect(await redis.keys(`${broker.prefix}lovage.*`)).toEqual([])
    })
  })
})
