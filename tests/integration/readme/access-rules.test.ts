import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { Redis } from 'ioredis'
import { codeBlocks } from '../../support/code-blocks.js'
import { Celery, every } from '../../../src/index.js'
import { atTestEnd } from '../../support/at-test-end.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startBeat } from '../../../src/beat/start-beat.js'

const rules = codeBlocks('docs/operations.md').find(({ language }) => language === 'acl')?.code ?? ''

async function serverWithUser(): Promise<{ readonly url: string; readonly admin: Redis }> {
  const redis = await startRedis()
  const admin = redisClient(redis.url)
  const [command = '', ...words] = rules.trim().split(/\s+/)
  await admin.call(command, ...words)
  return { url: redis.url.replace('//', '//lovage:secret@'), admin }
}

/** Producer, worker, result, ETA, dead letter and beat of one app, under the user's rules. */
async function useAll(url: string): Promise<void> {
  const app = new Celery('ruled', {
    broker: url,
    backend: url,
    brokerTransportOptions: { globalKeyprefix: 'shop:', visibilityTimeout: 1 },
    resultBackendTransportOptions: { globalKeyprefix: 'shop:' },
  })
  atTestEnd(() => app.close())
  const add = app.task('ruled.add', (x: number, y: number) => x + y)
  let ticks = 0
  const tick = app.task('ruled.tick', () => void (ticks += 1))
  app.addPeriodicTask(every(1), tick.s(), { name: 'often' })
  const worker = await app.startWorker()
  const beat = await startBeat(app)
  expect(await (await add.delay(40, 2)).get({ timeout: 10_000 })).toBe(42)
  expect(await (await add.applyAsync({ args: [1, 1], countdown: 0.2 })).get({ timeout: 10_000 })).toBe(2)
  const unknown = await app.sendTask('ruled.unknown', [], {}, { taskId: randomUUID() })
  await expect(unknown.get({ timeout: 10_000 })).rejects.toThrow('ruled.unknown')
  await vi.waitFor(() => expect(ticks).toBeGreaterThan(0), 10_000)
  await vi.waitFor(async () => expect(await app.broker.deadLetters.count()).toBe(1), 10_000)
  expect(await app.broker.deadLetters.list()).toHaveLength(1)
  await app.broker.purge('celery')
  await app.broker.queueLength('celery')
  await unknown.forget()
  await beat.stop()
  await worker.stop()
}

describe('the access rules of docs/operations.md', () => {
  it('are enough for producers, workers and beat', async () => {
    const { url, admin } = await serverWithUser()
    await useAll(url)
    expect(await admin.call('ACL', 'LOG')).toEqual([])
  })

  it('leave everything working without client tracking', async () => {
    const { url, admin } = await serverWithUser()
    await admin.call('ACL', 'SETUSER', 'lovage', '-client|tracking', '-client|caching')
    await useAll(url)
    expect(JSON.stringify(await admin.call('ACL', 'LOG'))).toContain('client|tracking')
  })
})
