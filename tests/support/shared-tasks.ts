import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Celery } from '../../src/index.js'

/**
 * Register tasks that tests/interop/python/pytasks.py has under the same names, so that either side may run them.
 *
 * @param notes - for the keys by which tests watch and steer tasks.
 */
export function registerSharedTasks(app: Celery, notes: Redis): void {
  app.task('pytasks.count', { bind: true }, async ({ request }, key: string) => {
    await notes.hincrby(key, request.id, 1)
    // Long enough that a kill finds some of them running, and that others get their share of a queue.
    await sleep(3)
    return 'lovage'
  })
  app.task('pytasks.hold_late', { bind: true }, async ({ request }, key: string, value: unknown) => {
    await notes.rpush(`${key}:started`, request.id)
    const waiting = notes.duplicate()
    waiting.on('error', () => undefined)
    try {
      await waiting.blpop(`${key}:release`, 60)
    } finally {
      waiting.disconnect()
    }
    return value ?? null
  })
  app.task('pytasks.record', { bind: true }, async ({ request }, key: string, value: unknown) => {
    await notes.rpush(key, JSON.stringify(value) ?? request.id)
    return value ?? null
  })
}
