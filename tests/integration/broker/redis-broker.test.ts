import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { createRedisBroker, type RedisBrokerOptions } from '../../../src/broker/redis-broker.js'
import {
  claimOne,
  describeBroker,
  earlierOf,
  envelopeFor,
  send,
  startConsumer,
  taskOf,
} from './conformance.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { say } from '../../support/say.js'
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
  describeBroker((deadLetterLimits) => makeBroker(deadLetterLimits && { deadLetterLimits }))

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
      await consumer.ack(deliveries)
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

  describe('losses', () => {
    /** A consumer that has claimed and whose process is gone; what it held is back in the queue when this resolves. */
    async function dieWith(
      broker: Broker & { prefix: string },
      what: { readonly begun: boolean },
    ): Promise<void> {
      const redis = redisClient(server.url)
      const consumerId = `celery@dead:${++prefixes}`
      const consumer = broker.consumer({ queues: ['q'], consumerId })
      const delivery = await claimOne(consumer)
      if (what.begun) expect(await consumer.begin(delivery)).toBe(true)
      // Never started, so nobody renews this lease.
      await redis.zadd(`${broker.prefix}lovage.leases`, Date.now() / 1000 + 0.05, consumerId)
      await vi.waitFor(async () => expect(await broker.queueLength('q')).toBe(1), WITHIN)
    }

    it('counts the first, and those after it only if the task had begun', async () => {
      const broker = await makeBroker({ leaseMs: 300 })
      await send(broker, 'q', 'a')
      const consumer = await startConsumer(broker, 'q')
      for (const begun of [false, false, true, false]) await dieWith(broker, { begun })
      const { count, lost, hasBegun, history } = earlierOf(await claimOne(consumer))
      expect({ count, lost, hasBegun }).toEqual({ count: 4, lost: 2, hasBegun: false })
      expect(history.map(({ cause, worker, hasBegun }) => [cause, worker, hasBegun])).toEqual([
        ['WORKER_LOST', 'celery@dead', false],
        ['WORKER_LOST', 'celery@dead', false],
        ['WORKER_LOST', 'celery@dead', true],
        ['WORKER_LOST', 'celery@dead', false],
      ])
    })

    it('keeps only the latest in the message, however many there were', async () => {
      const broker = await makeBroker()
      await send(broker, 'q', 'a')
      const consumer = await startConsumer(broker, 'q')
      for (let i = 0; i < 30; i++) await consumer.requeue(await claimOne(consumer))
      const delivery = await claimOne(consumer)
      expect(earlierOf(delivery)).toMatchObject({ count: 30, lost: 30 })
      expect(earlierOf(delivery).history).toHaveLength(10)
    })

    it('notes a beginning in the record so that a Python worker can still restore it', async () => {
      const broker = await makeBroker()
      const redis = redisClient(server.url)
      await send(broker, 'q', 'a')
      const consumer = await startConsumer(broker, 'q')
      const delivery = await claimOne(consumer)
      expect(await consumer.begin(delivery)).toBe(true)
      const record = await redis.hget(`${broker.prefix}unacked`, delivery.tag)
      const [envelope, exchange, key] = JSON.parse(record ?? '') as [Record<string, unknown>, string, string]
      const { properties, ...rest } = JSON.parse(delivery.envelope) as Record<string, object>
      const lovage = { deliveries: 0, lost: 0, begun: true }
      expect([envelope, exchange, key]).toEqual([{ ...rest, properties: { ...properties, lovage } }, '', 'q'])
    })

    it('lets a message begin whose bytes are not valid text', async () => {
      const broker = await makeBroker()
      const redis = redisClient(server.url)
      const bytes = Buffer.from(envelopeFor('q', 'a').replace('"lang"', '"l\u00e4ng"'), 'latin1')
      await redis.lpush(`${broker.prefix}q`, bytes)
      const consumer = await startConsumer(broker, 'q')
      expect(await consumer.begin(await claimOne(consumer))).toBe(true)
    })

    it('row 14: lets a message begin while the server is out of memory', async () => {
      const own = await startRedis()
      const broker = createRedisBroker({ connection: { url: own.url }, log: silentLog })
      atTestEnd(() => broker.close())
      const redis = redisClient(own.url)
      await broker.ping(5000)
      await send(broker, 'q', 'a')
      const consumer = await startConsumer(broker, 'q')
      const delivery = await claimOne(consumer)
      await redis.config('SET', 'maxmemory', '1mb')
      await expect(redis.set('filler', 'x')).rejects.toThrow(/^OOM/)
      expect(await consumer.begin(delivery)).toBe(true)
      expect(await redis.hget('unacked', delivery.tag)).toContain('"begun":true')
    })

    it('does not let a message begin that a Python worker has restored meanwhile', async () => {
      const broker = await makeBroker()
      const redis = redisClient(server.url)
      await send(broker, 'q', 'a')
      const consumer = await startConsumer(broker, 'q')
      const delivery = await claimOne(consumer)
      await redis.hdel(`${broker.prefix}unacked`, delivery.tag)
      expect(await consumer.begin(delivery)).toBe(false)
      expect(await redis.exists(`${broker.prefix}unacked`)).toBe(0)
    })
  })

  it('row 2: can be woken again each time the connection of wake-ups is back', async () => {
    const consumer = await startConsumer(await makeBroker(), 'q')
    const redis = redisClient(server.url)
    const stop = new AbortController()
    const waiting = (async () => {
      while (!stop.signal.aborted) await consumer.waitForWork(60_000, stop.signal)
    })()
    // Only who can be woken has subscribed; what is killed the moment it has may be amid the rest of that.
    const kill = async (): Promise<void> =>
      vi.waitFor(
        async () => expect(Number(await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub'))).toBeGreaterThan(0),
        { ...WITHIN, interval: 1 },
      )
    const rounds = 20
    const from = performance.now()
    for (let round = 0; round < rounds; round++) await kill()
    const took = performance.now() - from
    stop.abort()
    await waiting
    say(`could be woken again ${Math.round(took / rounds)} ms after each loss of that connection`)
  })

  describe('dead letters', () => {
    it('are dropped when they are too old and new ones come', async () => {
      const broker = await makeBroker({ deadLetterLimits: { maxCount: 10, expiresSeconds: 3600 } })
      const redis = redisClient(server.url)
      const consumer = await startConsumer(broker, 'q')
      for (const task of ['a', 'b', 'c']) {
        await send(broker, 'q', task)
        await consumer.bury(await claimOne(consumer), { code: 'CODE', message: '' })
        const [letter] = await broker.deadLetters.list()
        const age = { a: 7200, b: 3000, c: 0 }[task] ?? 0
        await redis.zadd(`${broker.prefix}lovage.dead`, Date.now() / 1000 - age, letter?.id ?? '')
      }
      expect((await broker.deadLetters.list()).map(({ task }) => task)).toEqual(['c', 'b'])
      expect(await redis.hlen(`${broker.prefix}lovage.dead.elements`)).toBe(2)
      expect(await redis.hlen(`${broker.prefix}lovage.dead.information`)).toBe(2)
    })

    it('row 13: have no TTL, so that eviction under volatile-lru does not take them', async () => {
      const broker = await makeBroker()
      const redis = redisClient(server.url)
      const consumer = await startConsumer(broker, 'q')
      await send(broker, 'q', 'a')
      await consumer.bury(await claimOne(consumer), { code: 'CODE', message: '' })
      const keys = await redis.keys(`${broker.prefix}lovage.dead*`)
      expect(keys).toHaveLength(3)
      expect(await Promise.all(keys.map((key) => redis.ttl(key)))).toEqual([-1, -1, -1])
    })

    it('are neither lost nor doubled by many who retry them at once', async () => {
      const broker = await makeBroker()
      const others = await Promise.all([1, 2, 3].map(() => makeBroker({ globalKeyprefix: broker.prefix })))
      const consumer = await startConsumer(broker, 'q')
      for (let i = 0; i < 120; i++) await send(broker, 'q', `t${i}`)
      const { deliveries } = await consumer.claim(120)
      for (const delivery of deliveries) await consumer.bury(delivery, { code: 'CODE', message: '' })
      const counts = await Promise.all([broker, ...others].map((each) => each.deadLetters.retry('all')))
      expect(counts.reduce((total, count) => total + count, 0)).toBe(120)
      const again = (await consumer.claim(200)).deliveries.map(taskOf)
      expect(again).toHaveLength(120)
      expect(new Set(again).size).toBe(120)
      expect(await broker.deadLetters.count()).toBe(0)
    })

    it('stay where they are when their queue cannot take them', async () => {
      const broker = await makeBroker()
      const redis = redisClient(server.url)
      const consumer = await startConsumer(broker, 'q')
      await send(broker, 'q', 'a')
      await consumer.bury(await claimOne(consumer), { code: 'CODE', message: '' })
      await redis.set(`${broker.prefix}q`, 'no list')
      await expect(broker.deadLetters.retry('all')).rejects.toThrow('WRONGTYPE')
      expect(await broker.deadLetters.list()).toHaveLength(1)
    })

    it('give back bytes that are no text as they were', async () => {
      const broker = await makeBroker()
      const redis = redisClient(server.url)
      const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x7b])
      await redis.lpush(`${broker.prefix}q`, bytes)
      const consumer = await startConsumer(broker, 'q')
      await consumer.claim(5)
      expect(await broker.deadLetters.retry('all')).toBe(1)
      expect(await redis.lindexBuffer(`${broker.prefix}q`, 0)).toEqual(bytes)
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

    it('puts back what was claimed after the end of a lease, when its holder is not heard of again', async () => {
      const broker = await makeBroker({ leaseMs: 300 })
      // Held up for a minute, it has not renewed its lease yet.
      const over = Date.now() / 1000 - 60
      await redisClient(server.url).zadd(`${broker.prefix}lovage.leases`, over, 'late')
      await send(broker, 'q', 'a')
      const late = broker.consumer({ queues: ['q'], consumerId: 'late' })
      expect((await late.claim(1)).deliveries.map(taskOf)).toEqual(['a'])

      const other = await startConsumer(broker, 'q')
      await vi.waitFor(async () => expect(await broker.queueLength('q')).toBe(1), WITHIN)
      expect((await other.claim(1)).deliveries.map(taskOf)).toEqual(['a'])
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
      await hanging.ack(deliveries)
      expect(await redis.hlen(`${slow.prefix}unacked`)).toBe(1)
      await consumer.ack(again.deliveries)
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

    it('Must 7.6: releases the mutex of a sweep that was cut off, when it is connected again', async () => {
      const broker = await makeBroker({ visibilityTimeoutMs: 1000, leaseMs: 300 })
      const redis = redisClient(server.url)
      const mutex = `${broker.prefix}unacked_mutex`
      // So much that the sweep is still at it when it loses its connection.
      const record = `[${envelopeFor('q', 'x'.repeat(10_000))}, "", "q"]`
      const tags = Array.from({ length: 1000 }, (_, i) => `tag-${i}`)
      await redis.hset(`${broker.prefix}unacked`, Object.fromEntries(tags.map((tag) => [tag, record])))
      await redis.zadd(
        `${broker.prefix}unacked_index`,
        ...tags.flatMap((tag) => [Date.now() / 1000 - 10, tag]),
      )
      const monitor = await redis.monitor()
      atTestEnd(() => monitor.disconnect())
      const cutOff = new Promise<number>((resolve, reject) => {
        monitor.on('monitor', (_time: string, [command, key]: string[]) => {
          if (command?.toLowerCase() !== 'set' || key !== mutex) return
          monitor.removeAllListeners('monitor')
          redis
            .call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
            .then(() => redis.exists(mutex))
            .then(resolve, reject)
        })
      })
      await startConsumer(broker, 'q')
      expect(await cutOff).toBe(1)
      await vi.waitFor(async () => expect(await redis.exists(mutex)).toBe(0), WITHIN)
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
