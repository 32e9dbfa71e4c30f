/**
 * A beat in a process of its own, to be killed and frozen: sends `tick` every 400 ms by pushing a line of JSON to
 * the list `<prefix>sent`. Arguments: Redis URL, key prefix, lease in milliseconds.
 */
import { Redis } from 'ioredis'
import { readBeatSchedule } from '../../../src/beat/entry.js'
import { redisEntryStore } from '../../../src/beat/redis-entry-store.js'
import { startScheduler } from '../../../src/beat/scheduler.js'
import { tickTaskId } from '../../../src/beat/tick-task-id.js'
import { createLog } from '../../../src/log.js'

const [url = '', prefix = '', leaseMs = ''] = process.argv.slice(2)
const redis = new Redis(url)

const scheduler = startScheduler({
  entries: readBeatSchedule({ tick: { task: 'demo.tick', schedule: 0.4 } }),
  store: redisEntryStore(redis, { prefix }),
  send: async ({ name }, dueAt) => {
    const line = { pid: process.pid, dueAt: dueAt.toISOString(), taskId: tickTaskId(name, dueAt) }
    await redis.rpush(`${prefix}sent`, JSON.stringify(line))
  },
  log: createLog(),
  leaseMs: Number(leaseMs),
})

process.once('SIGTERM', () => {
  void scheduler.stop().then(() => redis.quit())
})
