import { expect, it, vi } from 'vitest'
import { Redis } from 'ioredis'
import { atTestEnd } from '../../support/at-test-end.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { scaled } from '../../support/scale.js'
import { testApp } from '../../support/test-app.js'
import type { EventEmitter } from 'node:events'

/** More than the listeners of one kind that Node.js lets pass without a warning. */
const RESTARTS = scaled(12, 100)

function countListeners(emitters: readonly EventEmitter[]): number {
  return emitters
    .flatMap((emitter) => emitter.eventNames().map((name) => emitter.listenerCount(name)))
    .reduce((sum, count) => sum + count, 0)
}

it('row 40: keeps nothing of workers that an app has started and stopped', { timeout: 60_000 }, async () => {
  const opening = vi.spyOn(Redis.prototype, 'connect')
  const warned = vi.fn()
  process.on('warning', warned)
  atTestEnd(() => {
    opening.mockRestore()
    process.off('warning', warned)
  })
  const { url } = await startRedis()
  const redis = redisClient(url)
  const app = testApp(url)
  const echo = app.task('echo', (value: number) => value)

  const startAndStop = async (number: number): Promise<void> => {
    await using _worker = await app.startWorker({ mingle: false })
    expect(await (await echo.delay(number)).get({ timeout: 10_000 })).toBe(number)
  }
  const kept = async () => {
    const open = [...new Set(opening.mock.contexts as Redis[])].filter(({ status }) => status !== 'end')
    return {
      connections: String(await redis.client('LIST'))
        .trim()
        .split('\n').length,
      listeners: countListeners([...open, process]),
      handles: process.getActiveResourcesInfo().filter((kind) => kind !== 'Timeout').length,
    }
  }

  await startAndStop(0)
  const before = await kept()
  for (let restart = 1; restart <= RESTARTS; restart++) await startAndStop(restart)
  // A connection, and the thread that guards a lease, are gone some time after they were told to go.
  await vi.waitFor(async () => expect(await kept()).toEqual(before), { timeout: 10_000 })
  expect(warned).not.toHaveBeenCalled()
})
