import { describe, expect, it } from 'vitest'
import { createTimedTag } from '../../../src/serialization/timed-tag.js'
import { encodeTaskMessage } from '../../../src/serialization/outgoing-task.js'
import { rawMessage } from '../../support/raw-message.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import { diagnose } from './diagnose.js'
import type { Redis } from 'ioredis'

async function brokerOfTest(): Promise<{ url: string; redis: Redis }> {
  const { url } = await startRedis()
  return { url, redis: redisClient(url) }
}

const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString()
const secondsAgo = (seconds: number): number => Date.now() / 1000 - seconds

describe('queues', () => {
  it('row 28: are counted over all priorities, with what is parked', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.lpush('celery', 'a', 'b')
    await redis.lpush('celery\x06\x169', 'c')
    await redis.zadd('lovage.parked.reports', Date.now() / 1000 + 60, 'tag')
    const { queues } = await diagnose(url, {}, { queues: ['celery', 'reports'] })
    expect(queues).toMatchObject({ status: 'ok', found: 'celery 3, reports 0 and 1 for later' })
  })

  it('row 27: tell what is at the head, and warn where it fell due long ago', async () => {
    const { url, redis } = await brokerOfTest()
    const fresh = rawMessage('shop.fresh')
    await redis.lpush('celery', fresh.envelope)
    expect((await diagnose(url))['oldest-message']).toMatchObject({
      status: 'ok',
      found: `shop.fresh[${fresh.id}] at the head of celery`,
    })

    const old = rawMessage('shop.old', [], ({ headers }) => ({ headers: { ...headers, eta: hoursAgo(3.5) } }))
    await redis.rpush('celery\x06\x163', old.envelope)
    expect((await diagnose(url))['oldest-message']).toMatchObject({
      status: 'warning',
      found: `shop.old[${old.id}] at the head of celery has waited at least 3 hours`,
      advice: expect.stringContaining('start workers') as string,
    })
  })

  it('row 27: tell for how long a message of ours has waited', async () => {
    const { url, redis } = await brokerOfTest()
    const deliveryTag = createTimedTag()(Date.now() - 2.5 * 3_600_000)
    await redis.lpush(
      'celery',
      encodeTaskMessage({ id: 'id', task: 'shop.old', queue: 'celery', deliveryTag }),
    )
    expect((await diagnose(url))['oldest-message']).toMatchObject({
      status: 'warning',
      found: 'shop.old[id] at the head of celery has waited at least 2 hours',
    })
  })

  it('row 27: warn where nobody has touched one for long', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.lpush('celery', rawMessage('shop.forgotten').envelope)
    const dump = await redis.dumpBuffer('celery')
    await redis.call('RESTORE', 'celery', '0', dump, 'REPLACE', 'IDLETIME', '1200')
    expect((await diagnose(url))['oldest-message']).toMatchObject({
      status: 'warning',
      found: expect.stringMatching(/has waited at least 2\d minutes$/) as string,
    })
  })

  it('tell of a head that is no message', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.lpush('celery', 'garbage')
    expect((await diagnose(url))['oldest-message']?.found).toBe('what is no message at the head of celery')
  })
})

describe('messages that are held', () => {
  it('row 5: are late past the visibility timeout', async () => {
    const { url, redis } = await brokerOfTest()
    const settings = { brokerTransportOptions: { visibilityTimeout: 600 } }
    await redis.zadd('unacked_index', secondsAgo(300), 'tag-1')
    expect((await diagnose(url, settings)).unacked).toMatchObject({
      status: 'ok',
      found: '1 message held or parked',
    })
    await redis.zadd('unacked_index', secondsAgo(900), 'tag-2')
    expect((await diagnose(url, settings)).unacked).toMatchObject({
      status: 'warning',
      found: '2 messages held or parked, 1 past the visibility timeout of 600 s',
    })
  })
})

describe('workers', () => {
  it('are counted by their leases', async () => {
    const { url } = await brokerOfTest()
    const app = testApp(url)
    app.task('shop.nothing', () => null)
    await using first = await app.startWorker()
    await using second = await app.startWorker()
    expect((await diagnose(url)).workers).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^2 alive/) as string,
    })
    await first.stop()
    await second.stop()
    expect((await diagnose(url)).workers).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^0 alive/) as string,
    })
  })

  it('are missed where messages wait', async () => {
    const { url } = await brokerOfTest()
    await testApp(url).sendTask('shop.waiting')
    expect((await diagnose(url)).workers).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('1 message waiting') as string,
      advice: 'start a worker',
    })
  })

  it('row 5: that died are told of while nobody puts back what they held', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.zadd('lovage.leases', secondsAgo(100), 'dead-worker')
    expect((await diagnose(url)).workers).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('1 dead') as string,
    })
  })
})

describe('dead letters', () => {
  it('row 21: are counted, and where to go with them is said', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.lpush('celery', 'garbage')
    const app = testApp(url)
    await app.broker.ping(5000)
    await app.broker.consumer({ queues: ['celery'], consumerId: 'c' }).claim(1)
    expect((await diagnose(url))['dead-letters']).toMatchObject({
      status: 'warning',
      found: '1 message',
      advice: expect.stringContaining('Dead letters') as string,
    })
  })
})

describe('expiry', () => {
  it.each(['celery', '_kombu.binding.celery', 'unacked', 'lovage.dead', 'lovage.beat.entries'])(
    'row 13: %s must not have one',
    async (key) => {
      const { url, redis } = await brokerOfTest()
      await redis.lpush(key, 'anything')
      expect((await diagnose(url))['expiring-work']).toMatchObject({ status: 'ok' })
      await redis.expire(key, 1000)
      expect((await diagnose(url))['expiring-work']).toMatchObject({
        status: 'fault',
        found: `1 key of work with an expiry: "${key}"`,
        advice: expect.stringContaining('PERSIST') as string,
      })
    },
  )

  it.each(['unacked_mutex', 'lovage.beat.lock'])('row 5: %s must have one', async (key) => {
    const { url, redis } = await brokerOfTest()
    await redis.set(key, 'token', 'EX', 100)
    expect((await diagnose(url))['lasting-locks']).toMatchObject({ status: 'ok' })
    await redis.persist(key)
    expect((await diagnose(url))['lasting-locks']).toMatchObject({
      status: 'fault',
      found: `"${key}" without an expiry`,
    })
  })

  it('row 12: results should have one', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.set('celery-task-meta-1', '{}', 'EX', 100)
    await redis.set('somebody-else', '1')
    expect((await diagnose(url))['lasting-keys']).toMatchObject({
      status: 'ok',
      found: 'none of 2 keys looked at',
    })
    await redis.set('celery-task-meta-2', '{}')
    expect((await diagnose(url))['lasting-keys']).toMatchObject({
      status: 'warning',
      found: '1 result of 3 keys looked at never go',
    })
    expect((await diagnose(url, { resultExpires: 0 }))['lasting-keys']?.advice).toContain('resultExpires')
  })

  it('row 11: tells of the replies that Python’s inspections leave behind', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.lpush('0c3b.reply.celery.pidbox', '{}')
    expect((await diagnose(url))['lasting-keys']).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('pidbox') as string,
    })
  })

  it('is looked for in a bounded sample', async () => {
    const { url, redis } = await brokerOfTest()
    await redis.eval("for i = 1, 30000 do redis.call('SET', 'k' .. i, '') end", 0)
    const { 'lasting-keys': found } = await diagnose(url)
    const [, looked] = /none of (\d+) keys/.exec(found?.found ?? '') ?? []
    expect(Number(looked)).toBeGreaterThan(1000)
    expect(Number(looked)).toBeLessThan(15_000)
  })
})
