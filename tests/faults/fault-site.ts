import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Redis } from 'ioredis'
import { atTestEnd } from '../support/at-test-end.js'
import { eventually } from '../support/eventually.js'
import { redisClient, type RedisServer } from '../support/redis-server.js'
import type { Log } from '../../src/log.js'
import { testApp } from '../support/test-app.js'
import { say } from '../support/say.js'
import type { SendOptions } from '../../src/app/send-task.js'
import type { AppOptions, AsyncResult, Celery, RunningWorker, WorkerOptions } from '../../src/index.js'

export interface FaultSiteOptions {
  readonly redis: RedisServer
  /** Where the worker reaches the server: the port of a proxy in front of it. @default the server's own */
  readonly workerPort?: number
  readonly settings?: AppOptions
  readonly worker?: WorkerOptions
  /** Milliseconds that a task takes. @default 2 */
  readonly taskMs?: number
  /** Length of what a task returns, beside its id. @default 0 */
  readonly resultBytes?: number
}

/** A producer and a worker on one server, and what is known of the tasks that ran. */
export interface FaultSite extends AsyncDisposable {
  readonly producer: Celery
  readonly workerApp: Celery
  readonly worker: RunningWorker
  /** Looks past all proxies. */
  readonly observer: Redis
  /** How often each task ran, by its id. */
  readonly runs: ReadonlyMap<string, number>
  send(count: number, options?: SendOptions): Promise<AsyncResult<unknown>[]>
  /** Resolves when so many tasks have begun. */
  started(count: number): Promise<void>
  /** Resolves when the first task begins that is not in the worker's hands yet, with that instant. */
  nextClaimed(): Promise<number>
  /** When the connection on which the worker claims was opened again last; 0: never. */
  connectedAt(): number
  /** Count from nothing again. */
  reset(): void
  /** Every key in which a message could be left over, and who holds a lease. */
  leftOver(): Promise<readonly string[]>
}

const CONCURRENCY = 10

export async function startFaultSite(options: FaultSiteOptions): Promise<FaultSite> {
  const { redis, workerPort = redis.port, taskMs = 2, resultBytes = 0 } = options
  const prefix = `${randomUUID()}:`
  const settings: AppOptions = {
    ...options.settings,
    brokerTransportOptions: { globalKeyprefix: prefix, ...options.settings?.brokerTransportOptions },
    resultBackendTransportOptions: { globalKeyprefix: prefix },
  }
  const producer = testApp(redis.url, settings)
  let connectedAt = 0
  const log = logOfReturns((connection) => {
    if (connection === 'broker') connectedAt = performance.now()
  })
  const workerApp = testApp(`redis://127.0.0.1:${workerPort}/0`, { ...settings, log })
  const observer = redisClient(redis.url)
  const runs = new Map<string, number>()
  let begun = 0
  const watchers = new Set<() => void>()
  const whenBegun = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (begun < count) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
    })

  workerApp.task('faults.run', { bind: true }, async ({ request }) => {
    runs.set(request.id, (runs.get(request.id) ?? 0) + 1)
    begun++
    for (const look of [...watchers]) look()
    await sleep(taskMs)
    return request.id + 'x'.repeat(resultBytes)
  })
  const worker = await workerApp.startWorker({ concurrency: CONCURRENCY, ...options.worker })
  atTestEnd(() => worker.stop())

  return {
    producer,
    workerApp,
    worker,
    observer,
    runs,
    send: (count, sendOptions) =>
      Promise.all(Array.from({ length: count }, () => producer.sendTask('faults.run', [], {}, sendOptions))),
    started: whenBegun,
    async nextClaimed() {
      const { active, reserved } = worker.counts()
      await whenBegun(begun + active + reserved + 1)
      return performance.now()
    },
    connectedAt: () => connectedAt,
    reset() {
      runs.clear()
      begun = 0
    },
    async [Symbol.asyncDispose]() {
      await worker.stop()
      await Promise.all([producer.close(), workerApp.close()])
      observer.disconnect()
    },
    async leftOver() {
      const keys = await observer.keys(`${prefix}*`)
      const names = keys.map((key) => key.slice(prefix.length)).toSorted()
      return names.filter((name) => !/^(_kombu\.binding\.|celery-task-meta-|lovage\.leases$)/.test(name))
    },
  }
}

/** Calls `onReturn` when one of an app's connections is back, with its purpose. */
function logOfReturns(onReturn: (connection: unknown) => void, connection?: unknown): Log {
  return {
    debug: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    isLevelEnabled: () => false,
    info(_fields, message) {
      if (message === 'connected to Redis again') onReturn(connection)
    },
    child: (fields) => logOfReturns(onReturn, fields['connection'] ?? connection),
  }
}

export interface FaultReport {
  readonly resumedMs: number | undefined
  readonly repeated: readonly string[]
}

export interface RunOptions {
  /** Named in the line that is printed. */
  readonly name: string
  readonly tasks: number
  /** Makes it and ends it; resolves when Redis can be reached again. Called when a fifth of the tasks has begun. */
  readonly fault: () => Promise<unknown>
  /** Whether a repeated run of this task is explained by the fault. @default none is */
  readonly explains?: (taskId: string) => boolean
}

/** From Redis being back; long enough for a loaded machine. What is promised is a second, and what is measured is printed. */
const RESUMED_WITHIN_MS = 3000
/** From there being a connection again, or none having been lost. */
const CLAIMED_WITHIN_MS = 1000

/**
 * Send tasks, let a fault happen while they are worked, and hold the guarantees against what came of it: each task has
 * its result, none ran twice without a reason, nothing is left over, and work went on as soon as Redis was back.
 */
export async function runThroughFault(site: FaultSite, options: RunOptions): Promise<FaultReport> {
  const { name, tasks, fault, explains = () => false } = options
  site.reset()
  const results = await site.send(tasks)
  await site.started(tasks / 5)
  await fault()
  const backAt = performance.now()
  const all = Promise.all(results.map((result) => result.get({ timeout: 30_000 })))
  const claimedAt = await Promise.race([site.nextClaimed(), all.then(() => undefined)])
  const connectedAt = Math.max(backAt, site.connectedAt())
  const values = await all
  // Who came through a fault has to do more than what it had.
  const [later] = await site.send(1)
  await later?.get({ timeout: 10_000 })
  await nothingIsLeft(site)

  const repeated = [...site.runs].filter(([, count]) => count > 1).map(([id]) => id)
  const resumed = claimedAt === undefined ? undefined : claimedAt - backAt
  const connected = Math.round(connectedAt - backAt)
  const went =
    resumed === undefined
      ? 'was done before'
      : `was connected after ${connected} ms, went on after ${Math.round(resumed)} ms`
  say(`${name}: ${tasks} sent, ${values.length} results, ${repeated.length} ran again; ${went}`)
  expect(values.map((value) => String(value).slice(0, 36))).toEqual(results.map(({ id }) => id))
  expect(repeated.filter((id) => !explains(id))).toEqual([])
  if (claimedAt !== undefined) {
    expect(claimedAt - backAt).toBeLessThan(RESUMED_WITHIN_MS)
    expect(claimedAt - connectedAt).toBeLessThan(CLAIMED_WITHIN_MS)
  }
  return { resumedMs: resumed, repeated }
}

/** The queue, `unacked`, its index, what consumers hold and what is parked are all gone, as are dead letters. @param except - names of keys that may stay. */
export async function nothingIsLeft(site: FaultSite, except = /^$/): Promise<void> {
  await eventually(async () => {
    const left = (await site.leftOver()).filter((name) => !except.test(name))
    if (left.length > 0) throw new Error(`left over: ${left.join(', ')}`)
    return true
  })
}
