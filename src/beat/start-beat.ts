import { closeRedis, openSingle, ready } from '../redis/connect.js'
import { readSendOptions } from '../app/read-send-options.js'
import { memoryEntryStore } from './memory-entry-store.js'
import { readBeatSchedule, type EntryDefinition } from './entry.js'
import { redisEntryStore } from './redis-entry-store.js'
import { startScheduler, type Scheduler } from './scheduler.js'
import { UniqueConflictError } from '../app/unique-calls.js'
import { tickTaskId } from './tick-task-id.js'
import type { Celery } from '../app/celery.js'
import type { EntryStore } from './entry-store.js'

/**
 * Run the app's schedule: `beatSchedule` and what `addPeriodicTask` added. Any number of beats may run on one
 * broker; one of them sends.
 *
 * Times of last runs and the lease are kept in the broker's Redis, so that a restarted beat goes on where the last
 * one was; on `memory://` they are kept in the process.
 *
 * @throws BeatScheduleError naming the entry at fault.
 */
export async function startBeat(app: Celery): Promise<Scheduler> {
  const { settings, log } = app
  const entries = scheduleOf(app)
  const { store, close } = await openStore(app)
  const scheduler = startScheduler({
    entries,
    store,
    send: async (entry, dueAt) => {
      const options = { ...readSendOptions(entry.options), taskId: tickTaskId(entry.name, dueAt) }
      await app.sendTask(entry.task, entry.args, entry.kwargs, options).catch((error: unknown) => {
        // Another try would but wait for the other's end, and later ticks with it.
        if (!(error instanceof UniqueConflictError)) throw error
        log.info({ entry: entry.name, task: entry.task }, `entry ${entry.name} is not sent: ${error.message}`)
      })
    },
    defaults: { timezone: settings.timezone, cronStartingDeadline: settings.beatCronStartingDeadline },
    log,
    maxIntervalMs: settings.beatMaxLoopInterval * 1000,
  })
  for (const { name, schedule, task } of scheduler.entries()) {
    log.info({ entry: name, task }, `entry ${name}: ${task}, ${schedule.describe()}`)
  }
  return {
    isLeading: () => scheduler.isLeading(),
    entries: () => scheduler.entries(),
    async stop() {
      await scheduler.stop()
      await close()
    },
  }
}

/** As long as a timer can be: about 24 days. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

/** All entries of an app; those of `beatSchedule` first. */
export function scheduleOf(app: Celery): readonly EntryDefinition[] {
  const added = app.periodicTasks.map(({ name, schedule, signature }) => ({
    name,
    schedule,
    task: signature.task,
    args: signature.args,
    kwargs: signature.kwargs,
    options: signature.options,
  }))
  return [...readBeatSchedule(app.settings.beatSchedule), ...added]
}

async function openStore({
  settings,
  log,
}: Celery): Promise<{ store: EntryStore; close: () => Promise<void> }> {
  if (settings.broker.startsWith('memory:')) {
    return { store: memoryEntryStore(), close: () => Promise.resolve() }
  }
  const prefix = settings.brokerTransportOptions.globalKeyprefix
  const client = openSingle(settings.brokerConnection, 'beat', prefix, log)
  // Redis may come later than beat; until then there is nothing to do but wait, which the log says.
  await ready(client, { timeoutMs: LONGEST_WAIT_MS })
  return { store: redisEntryStore(client, { prefix }), close: () => closeRedis(client) }
}
