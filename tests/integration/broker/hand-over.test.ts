import { setMaxListeners } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { brokerKeys, DEFAULT_KEY_OPTIONS } from '../../../src/broker/keys.js'
import { createHanded, type Handed } from '../../../src/broker/handed.js'
import { createHands } from '../../../src/broker/hands.js'
import { createRedisBroker } from '../../../src/broker/redis-broker.js'
import { earlierOf, envelopeFor, send, startConsumer, taskOf } from './conformance.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { say } from '../../support/say.js'
import { silentLog } from '../../../src/log.js'
import type { Broker, Consumer, Delivery, Handover } from '../../../src/broker/broker.js'
import type { Redis } from 'ioredis'

const NEVER = new AbortController().signal
const WITHIN = { timeout: 10_000, interval: 10 }

interface Site {
  readonly redis: Redis
  openBroker(leaseMs?: number): Promise<Broker>
}

async function openSite(): Promise<Site> {
  const { url } = await startRedis()
  return siteAt(url, url)
}

function siteAt(url: string, brokerUrl: string): Site {
  return {
    redis: redisClient(url),
    async openBroker(leaseMs = 30_000) {
      const broker = createRedisBroker({ connection: { url: brokerUrl }, log: silentLog, leaseMs })
      atTestEnd(() => broker.close())
      await broker.ping(5000)
      return broker
    },
  }
}

/** How many connections wait to be handed a message. */
async function asking(redis: Redis): Promise<number> {
  const clients = String(await redis.call('CLIENT', 'LIST'))
  return clients.split('\n').filter((line) => line.includes('flags=b')).length
}

async function untilAsking(redis: Redis, count: number): Promise<void> {
  await vi.waitFor(async () => expect(await asking(redis)).toBe(count), WITHIN)
}

/** Wait as a worker does: whoever is woken in vain waits again. */
async function nextHandover(consumer: Consumer): Promise<Handover> {
  for (;;) {
    const handover = await consumer.waitForWork(60_000, NEVER)
    if (handover !== undefined) return handover
  }
}

async function waitOrClaim(consumer: Consumer, signal: AbortSignal): Promise<readonly Delivery[]> {
  const handover = await consumer.waitForWork(60_000, signal)
  return handover === undefined ? (await consumer.claim(5)).deliveries : [handover.delivery]
}

/** Hand a message of queue `q` to a waiting consumer. */
async function handOver({ redis }: Site, consumer: Consumer, envelope: string): Promise<Handover> {
  const waiting = nextHandover(consumer)
  await untilAsking(redis, 1)
  await redis.lpush('q', envelope)
  return waiting
}

async function claimSome(consumer: Consumer): Promise<readonly Delivery[]> {
  return vi.waitFor(async () => {
    const { deliveries } = await consumer.claim(10)
    expect(deliveries).not.toEqual([])
    return deliveries
  }, WITHIN)
}

const allKeys = async (redis: Redis): Promise<string[]> =>
  (await redis.keys('*')).filter((key) => !/binding|leases/.test(key)).sort()

/** The messages that were handed over to a consumer, without that consumer. */
async function openHanded(): Promise<{ redis: Redis; list: string; handed: Handed }> {
  const { redis } = await openSite()
  const keys = brokerKeys(DEFAULT_KEY_OPTIONS)
  const consumer = { consumerId: 'worker', queues: ['q'], leaseMs: 30_000 }
  const options = { ...consumer, client: redis, keys, log: silentLog }
  const handed = createHanded({ ...options, hands: createHands(options) })
  return { redis, list: keys.handed(consumer.consumerId), handed }
}

describe('a message that is handed over to a waiting consumer', () => {
  it('is gone without a trace when it is acknowledged at once', async () => {
    const site = await openSite()
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const { delivery, isAlone } = await handOver(site, consumer, envelopeFor('q', 'a'))
    expect([taskOf(delivery), delivery.queue, isAlone]).toEqual(['a', 'q', true])
    await consumer.ack([delivery])
    expect(await allKeys(site.redis)).toEqual([])
  })

  it('Must 7.1: is recorded as unacked, under the tag of its sender, if its task does not end at once', async () => {
    const site = await openSite()
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const envelope = envelopeFor('q', 'a')
    const { properties } = JSON.parse(envelope) as { properties: { delivery_tag: string } }
    const { delivery } = await handOver(site, consumer, envelope)
    await vi.waitFor(async () => expect(await site.redis.hlen('unacked')).toBe(1), WITHIN)
    const record = await site.redis.hget('unacked', properties.delivery_tag)
    expect(JSON.parse(record ?? '')).toEqual([JSON.parse(envelope), '', 'q'])
    expect(await site.redis.llen(`lovage.handed.${await consumerId(site.redis)}`)).toBe(0)
    await consumer.ack([delivery])
    expect(await allKeys(site.redis)).toEqual([])
  })

  it('can be parked, begun, released, requeued and buried before it is recorded', async () => {
    const site = await openSite()
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const next = async (): Promise<Delivery> =>
      (await handOver(site, consumer, envelopeFor('q', 'a'))).delivery

    await consumer.park(await next(), new Date(Date.now() + 3_600_000))
    expect(await site.redis.zcard('lovage.parked.q')).toBe(1)

    const begun = await next()
    expect(await consumer.begin(begun)).toBe(true)
    await consumer.ack([begun])

    await consumer.release([await next()])
    expect(await site.redis.llen('q')).toBe(1)
    await consumer.ack((await consumer.claim(1)).deliveries)

    await consumer.requeue(await next())
    const [requeued] = (await consumer.claim(1)).deliveries
    expect(earlierOf(requeued!).count).toBe(1)
    await consumer.ack([requeued!])

    await consumer.bury(await next(), { code: 'NO', message: 'no' })
    expect(await site.redis.hlen('lovage.dead.elements')).toBe(1)
    expect(await site.redis.hlen('unacked')).toBe(1)
  })

  it('gets a tag of its own where its sender’s is in flight', async () => {
    const site = await openSite()
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const envelope = envelopeFor('q', 'a')
    await site.redis.lpush('q', envelope)
    const [first] = (await consumer.claim(1)).deliveries
    const { delivery } = await handOver(site, consumer, envelope)
    await vi.waitFor(async () => expect(await site.redis.hlen('unacked')).toBe(2), WITHIN)
    await consumer.ack([delivery])
    expect(await site.redis.hkeys('unacked')).toEqual([first?.tag])
    await consumer.ack([first!])
    expect(await allKeys(site.redis)).toEqual([])
  })

  it('says so when more are in line, which are claimed', async () => {
    const site = await openSite()
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const waiting = nextHandover(consumer)
    await untilAsking(site.redis, 1)
    await site.redis.lpush('q', ...['a', 'b', 'c'].map((task) => envelopeFor('q', task)))
    const { delivery, isAlone } = await waiting
    expect([taskOf(delivery), isAlone]).toEqual(['a', false])
    expect((await consumer.claim(5)).deliveries.map(taskOf)).toEqual(['b', 'c'])
  })

  it('row 1: runs once where it is recorded before its consumer hears of it', async () => {
    const { redis, list, handed } = await openHanded()
    const [first, second] = [envelopeFor('q', 'first'), envelopeFor('q', 'second')]
    // Both connections of a consumer have news: this one tells of the first, and the second is recorded with it.
    await redis.lpush(list, first, second)
    handed.accept(first, 'q')
    await handed.recorded()
    const delivery = handed.accept(second, 'q')
    expect([taskOf(delivery), await redis.hexists('unacked', delivery.tag)]).toEqual(['second', 1])
    expect([handed.size, handed.takeRest()]).toEqual([0, undefined])
  })

  it('row 1: is recorded for who asks while an earlier one is being recorded', async () => {
    const { redis, list, handed } = await openHanded()
    // The server knows the script from then on.
    await handed.collect()
    const [first, second] = [envelopeFor('q', 'first'), envelopeFor('q', 'second')]
    await redis.lpush(list, first)
    handed.accept(first, 'q')
    const earlier = handed.recorded()
    // Behind the script that records the first.
    const pushed = redis.lpush(list, second)
    const delivery = handed.accept(second, 'q')
    await handed.recorded()
    expect(await redis.hexists('unacked', delivery.tag)).toBe(1)
    await Promise.all([earlier, pushed])
  })

  it('is set aside, with its reason, where it is no message', async () => {
    const site = await openSite()
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const { delivery } = await handOver(site, consumer, 'no message')
    await consumer.bury(delivery, { code: 'UNREADABLE', message: 'cannot be read' })
    const { unreadable } = await consumer.claim(1)
    expect(unreadable).toMatchObject([{ queue: 'q' }])
    expect(await site.redis.hvals('lovage.dead.elements')).toEqual(['no message'])
  })
})

describe('what was handed over', () => {
  it('row 1: comes back when its consumer died before it recorded the message, counted as a loss', async () => {
    const site = await openSite()
    const broker = await site.openBroker(300)
    await site.redis.rpush('lovage.handed.dead', envelopeFor('q', 'a', 3))
    await site.redis.zadd('lovage.leases', Date.now() / 1000 - 1, 'dead')
    const consumer = await startConsumer(broker, 'q')
    await vi.waitFor(async () => expect(await site.redis.llen('q\x06\x163')).toBe(1), WITHIN)
    const [delivery] = (await consumer.claim(1)).deliveries
    expect(earlierOf(delivery!)).toMatchObject({ count: 1, history: [{ cause: 'WORKER_LOST' }] })
    expect(await site.redis.exists('lovage.handed.dead', 'lovage.held.dead')).toBe(0)
    expect(await site.redis.zscore('lovage.leases', 'dead')).toBe(null)
  })

  it('row 2: is found when the connection broke that should have told of it', async () => {
    const { port } = await startRedis()
    const proxy = await startProxy({ port })
    const site = siteAt(`redis://127.0.0.1:${port}/0`, `redis://127.0.0.1:${proxy.port}/0`)
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const taken: Delivery[] = []
    const stop = new AbortController()
    const waiting = (async () => {
      while (!stop.signal.aborted) {
        const found = await waitOrClaim(consumer, stop.signal).catch(() => setTimeout(10, []))
        taken.push(...found)
      }
    })()
    await vi.waitFor(async () => {
      proxy.resume()
      await untilAsking(site.redis, 1)
      proxy.pause()
      // It may have been about to ask anew.
      expect(await asking(site.redis)).toBe(1)
    }, WITHIN)
    await site.redis.lpush('q', envelopeFor('q', 'a'))
    expect(await site.redis.llen(`lovage.handed.${await consumerId(site.redis)}`)).toBe(1)
    proxy.cut()
    proxy.resume()
    await vi.waitFor(() => expect(taken.map(taskOf)).toEqual(['a']), WITHIN)
    stop.abort()
    await waiting
    await consumer.ack(taken)
    expect(await allKeys(site.redis)).toEqual([])
  })

  it('is taken over at a renewal, if it was handed over after the connection was given up', async () => {
    const site = await openSite()
    const consumer = await startConsumer(await site.openBroker(300), 'q')
    await site.redis.lpush(`lovage.handed.${await consumerId(site.redis)}`, envelopeFor('q', 'late'))
    expect((await claimSome(consumer)).map(taskOf)).toEqual(['late'])
  })
})

describe('waiting to be handed a message', () => {
  it('ends at once when the signal aborts, and leaves nothing behind that would take messages', async () => {
    const site = await openSite()
    const broker = await site.openBroker()
    const consumer = await startConsumer(broker, 'q')
    const stop = new AbortController()
    const waiting = (async () => {
      while (!stop.signal.aborted) await consumer.waitForWork(60_000, stop.signal)
    })()
    await untilAsking(site.redis, 1)
    const endsBefore = await callsOf(site.redis, 'client\\|unblock')
    stop.abort()
    await waiting
    expect(await asking(site.redis)).toBe(0)
    // The server was told, which would have given up by itself some seconds later.
    expect(await callsOf(site.redis, 'client\\|unblock')).toBeGreaterThan(endsBefore)
    await send(broker, 'q', 'a')
    expect(await site.redis.llen('q')).toBe(1)
  })

  it('row 2: is no silence that breaks its connection, however short a silence may be', async () => {
    const { port } = await startRedis()
    const url = `redis://127.0.0.1:${port}/0`
    const site = siteAt(url, `${url}?socket_timeout=0.4`)
    const consumer = await startConsumer(await site.openBroker(), 'q')
    const stop = new AbortController()
    const waiting = (async () => {
      while (!stop.signal.aborted) await consumer.waitForWork(60_000, stop.signal)
    })()
    await untilAsking(site.redis, 1)
    const connection = await askerId(site.redis)
    const callsBefore = await callsOf(site.redis, 'blmove')
    await vi.waitFor(
      async () => expect(await callsOf(site.redis, 'blmove')).toBeGreaterThan(callsBefore + 4),
      WITHIN,
    )
    expect(await askerId(site.redis)).toBe(connection)
    stop.abort()
    await waiting
  })

  it('is where work came from last, and ends for work from elsewhere', async () => {
    const site = await openSite()
    const broker = await site.openBroker()
    const consumer = await startConsumer(broker, 'p', 'q')
    await send(broker, 'q', 'a')
    await consumer.ack(await claimSome(consumer))
    const { delivery } = await handOver(site, consumer, envelopeFor('q', 'b'))
    await consumer.ack([delivery])

    const waiting = (async () => {
      for (;;) {
        const found = await waitOrClaim(consumer, NEVER)
        if (found.length > 0) return found
      }
    })()
    await untilAsking(site.redis, 1)
    await send(broker, 'p', 'c')
    expect((await waiting).map(({ queue }) => queue)).toEqual(['p'])
    expect(await asking(site.redis)).toBe(0)
  })

  it('row 17: wakes one of fifty idle consumers for a message', async () => {
    const site = await openSite()
    const fifty = await Promise.all(
      Array.from({ length: 50 }, async () => startConsumer(await site.openBroker(), 'q')),
    )
    const stop = new AbortController()
    setMaxListeners(50, stop.signal)
    const handovers: Handover[] = []
    const waiting = fifty.map(async (consumer) => {
      while (!stop.signal.aborted) {
        const handover = await consumer.waitForWork(60_000, stop.signal)
        if (handover === undefined) continue
        handovers.push(handover)
        await consumer.ack([handover.delivery])
      }
    })
    try {
      await untilAsking(site.redis, 50)
      // Before they could be handed anything they asked to be told of this list, which the server does once.
      await site.redis.lpush('q', envelopeFor('q', 'first'))
      await vi.waitFor(() => expect(handovers).toHaveLength(1), WITHIN)
      const before = await untilCalm(site.redis)
      await site.redis.lpush('q', envelopeFor('q', 'second'))
      await vi.waitFor(() => expect(handovers).toHaveLength(2), WITHIN)
      await untilAsking(site.redis, 50)
      const count = (await untilCalm(site.redis)) - before
      say(`one message to fifty idle consumers: ${count} commands by which they look for work`)
      // It asks again, and a few may have come to their safety look; all of them would be fifty.
      expect(count).toBeLessThan(20)
    } finally {
      stop.abort()
      await Promise.all(waiting)
    }
  })
})

async function askerId(redis: Redis): Promise<string | undefined> {
  return /id=(\d+) .*name=lovage:hand-over/.exec(String(await redis.call('CLIENT', 'LIST')))?.[1]
}

/** How often the server has run any of these commands. */
async function callsOf(redis: Redis, commands: string): Promise<number> {
  const stats = await redis.info('commandstats')
  const calls = [...stats.matchAll(new RegExp(`^cmdstat_(?:${commands}):calls=(\\d+)`, 'gm'))]
  return calls.reduce((sum, [, each]) => sum + Number(each), 0)
}

/** How often consumers have looked for work so far, once they have stopped looking. */
async function untilCalm(redis: Redis): Promise<number> {
  let last = -1
  for (let calm = 0; calm < 5; await setTimeout(50)) {
    const count = await callsOf(redis, 'blmove|exists|evalsha')
    calm = count === last ? calm + 1 : 0
    last = count
  }
  return last
}

/** Of the only one. */
async function consumerId(redis: Redis): Promise<string> {
  return (await redis.zrange('lovage.leases', '0', '-1')).join()
}
