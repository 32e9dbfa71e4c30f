import { setTimeout as sleep } from 'node:timers/promises'

// In JavaScript for the sake of workers in processes of their own, which would read TypeScript for most of a second.
export function registerSharedTasks(app, notes) {
  app.task('pytasks.count', { bind: true }, async ({ request }, key) => {
    await notes.hincrby(key, request.id, 1)
    // Long enough that a kill finds some of them running, and that others get their share of a queue.
    await sleep(3)
    return 'lovage'
  })
  app.task('pytasks.hold_late', { bind: true }, async ({ request }, key, value) => {
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
  app.task('pytasks.record', { bind: true }, async ({ request }, key, value) => {
    await notes.rpush(key, JSON.stringify(value) ?? request.id)
    return value ?? null
  })
}
