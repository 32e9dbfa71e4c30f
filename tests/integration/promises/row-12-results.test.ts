import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { TaskContext } from '../../../src/index.js'

const DAY_SECONDS = 86_400

describe('row 12: what is stored of a task', () => {
  it('row 12: goes by itself after a day, whatever the state', async () => {
    const { url } = await startRedis()
    const app = testApp(url, { taskTrackStarted: true, acceptContent: ['json'] })
    const redis = redisClient(url)
    app.task('add', (x: number, y: number) => x + y)
    app.task('fail', () => {
      throw new RangeError('on purpose')
    })
    const again = (task: TaskContext): never => {
      throw task.retry({ countdown: 3600 })
    }
    app.task('again', { bind: true }, again)
    app.task('wait', { bind: true }, async (task) => {
      await task.updateState('PROGRESS', { current: 1 })
      await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
    })
    app.task('started', ({ length }: string) => new Promise((resolve) => setTimeout(resolve, 1e6 * length)))
    const sent = await Promise.all([
      app.sendTask('add', [1, 2]),
      app.sendTask('fail'),
      app.sendTask('again'),
      app.sendTask('wait'),
      app.sendTask('started', ['x']),
      app.sendTask('add', [1, 2], {}, { expires: new Date(Date.now() - 1000) }),
      app.sendTask('nobody.knows'),
    ])
    const worker = await app.startWorker()
    const states = ['SUCCESS', 'FAILURE', 'RETRY', 'PROGRESS', 'STARTED', 'REVOKED', 'FAILURE']
    await eventually(
      async () => (await Promise.all(sent.map((each) => each.state()))).join() === states.join(),
    )
    for (const { id } of sent) {
      const ttl = await redis.ttl(`celery-task-meta-${id}`)
      expect(ttl).toBeGreaterThan(DAY_SECONDS - 60)
      expect(ttl).toBeLessThanOrEqual(DAY_SECONDS)
    }
    await worker.abort()
  })

  it('row 12: is nothing where the message says so, even of a failure', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const redis = redisClient(url)
    app.task('add', (x: number, y: number) => x + y)
    await using worker = await app.startWorker()
    await app.sendTask('add', [1, 2], {}, { ignoreResult: true })
    await app.sendTask('add', [1], {}, { ignoreResult: true })
    await eventually(async () => (await redis.exists('celery', 'unacked')) === 0)
    expect(worker.counts()).toMatchObject({ succeeded: 1, failed: 1 })
    expect(await redis.keys('celery-task-meta-*')).toEqual([])
  })
})
