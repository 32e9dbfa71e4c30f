import { describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { startPythonWorker } from '../support/python-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'

describe.each(celeryGenerations)('row 24: a unique call of a task of $name', ({ python }) => {
  it('runs like any other, and keeps its key until its ttl', async () => {
    const { url } = await startRedis()
    await startPythonWorker({ broker: url, python })
    const app = testApp(url)
    const call = () => app.sendTask<number>('pytasks.record', ['runs', 1], {}, { unique: { ttl: 300 } })
    const first = await call()
    expect(await first.get({ timeout: 60_000 })).toBe(1)
    expect((await call()).id).toBe(first.id)
    const redis = redisClient(url)
    const [key = ''] = await redis.keys('lovage.unique.*')
    expect(await redis.get(key)).toBe(first.id)
    expect(await redis.pttl(key)).toBeGreaterThan(0)
    expect(await redis.llen('runs')).toBe(1)
  })
})
