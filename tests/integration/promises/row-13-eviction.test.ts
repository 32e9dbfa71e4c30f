import { describe, expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { eventually } from '../../support/eventually.js'
import { every } from '../../../src/index.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startBeat } from '../../../src/beat/start-beat.js'
import { testApp } from '../../support/test-app.js'

describe('row 13: eviction under volatile-lru', () => {
  it('row 13: can take results only, since nothing else has a TTL', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    app.task('add', (x: number, y: number) => x + y)
    let release = (): void => undefined
    app.task('hold', () => new Promise<void>((resolve) => (release = resolve)))
    app.addPeriodicTask(every(3600_000), app.remoteTask('add').s(1, 1))
    const redis = redisClient(url)
    await using _worker = await app.startWorker({ queues: ['celery'] })
    const beat = await startBeat(app)
    atTestEnd(() => beat.stop())

    const done = await app.sendTask('add', [1, 2])
    await done.get({ timeout: 10_000 })
    await app.sendTask('hold')
    await app.sendTask('add', [1, 2], {}, { countdown: 3600 })
    await app.sendTask('nobody.knows')
    await app.sendTask('add', [1, 2], {}, { queue: 'elsewhere', priority: 9 })
    await eventually(
      async () => (await redis.exists('lovage.dead', 'lovage.parked.celery', 'elsewhere\x06\x169')) === 3,
    )

    const keys = await redis.keys('*')
    const withTtl: string[] = []
    for (const key of keys) if ((await redis.pttl(key)) > 0) withTtl.push(key)
    const precious = keys.filter((key) => !withTtl.includes(key))
    release()
    // Whoever holds a lock that has gone finds that out before it does anything with it.
    const locks = ['lovage.beat.lock', 'unacked_mutex']
    const others = withTtl.filter((key) => !key.startsWith('celery-task-meta-') && !locks.includes(key))
    expect(others).toEqual([])
    expect(withTtl).toContain(`celery-task-meta-${done.id}`)
    expect(precious).toEqual(
      expect.arrayContaining(['_kombu.binding.celery', 'unacked', 'unacked_index', 'lovage.leases']),
    )
  })

  it('row 13: a binding that has gone all the same is declared again', async () => {
    const { url } = await startRedis()
    const app = testApp(url, { brokerTransportOptions: { visibilityTimeout: 0.3 } })
    const redis = redisClient(url)
    await using _worker = await app.startWorker({ queues: ['celery', 'mail'] })
    expect(await redis.del('_kombu.binding.celery', '_kombu.binding.mail')).toBe(2)
    await eventually(async () => (await redis.exists('_kombu.binding.celery', '_kombu.binding.mail')) === 2)
    expect(await redis.smembers('_kombu.binding.mail')).toEqual(['mail\x06\x16\x06\x16mail'])
  })
})
