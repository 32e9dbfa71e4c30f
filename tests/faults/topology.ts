import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Redis } from 'ioredis'
import { atTestEnd } from '../support/at-test-end.js'
import { eventually } from '../support/eventually.js'
import { testApp } from '../support/test-app.js'
import { say } from '../support/say.js'
import type { RedisServer } from '../support/redis-server.js'
import type { AppOptions, AsyncResult, Celery } from '../../src/index.js'

export interface Crew {
  readonly producer: Celery
  /** How often each task ran, by its id. */
  readonly runs: ReadonlyMap<string, number>
  /** Resolves when so many runs have begun. */
  started(count: number): Promise<void>
}

const LEASE_SECONDS = 3
const TASK_MS = 10

/** A producer and a worker that take the way of a user: by a URL of several servers. */
export async function startCrew(url: string, settings: AppOptions): Promise<Crew> {
  const options = { workerLease: LEASE_SECONDS, publishTimeoutMs: 20_000, ...settings }
  const [producer, app] = [testApp(url, options), testApp(url, options)]
  const runs = new Map<string, number>()
  let begun = 0
  app.task('faults.run', { bind: true }, async ({ request }) => {
    begun++
    runs.set(request.id, (runs.get(request.id) ?? 0) + 1)
    await sleep(TASK_MS)
    return request.id
  })
  const worker = await app.startWorker({ concurrency: 5 })
  atTestEnd(() => worker.stop())
  return {
    producer,
    runs,
    started: async (count) => void (await eventually(() => begun >= count, { timeoutMs: 30_000 })),
  }
}

/** Kill the server that the producer is connected to, and wait until it has noticed. */
export async function killServerOf({ producer }: Crew, server: RedisServer): Promise<void> {
  await server.process.kill()
  const isLost = (): Promise<boolean> =>
    producer.broker.ping(1).then(
      () => false,
      () => true,
    )
  await eventually(isLost, { intervalMs: 5 })
}

export interface TopologyFault {
  /** For the line that is printed. */
  readonly name: string
  /**
   * Resolves when what was sent has reached a replica: Redis replicates after it has answered, and what a primary takes
   * to its grave is nobody's to give back.
   */
  readonly replicated: () => Promise<unknown>
  /** Resolves when it is there, and what is sent now has to wait for its end. */
  readonly begin: () => Promise<unknown>
  readonly end: () => Promise<unknown>
}

/**
 * Wait until a replica has all that this server was sent. WAIT speaks of what its own connection wrote, so that writes
 * something first.
 */
export async function replicated(server: Redis, prefix = ''): Promise<void> {
  await server.set(`${prefix}replicated`, '')
  expect(Number(await server.call('WAIT', 1, 20_000))).toBe(1)
}

/** Work `count` tasks, half of them sent before the fault and half while it lasts, and see that each has its result. */
export async function workThrough(
  crew: Crew,
  count: number,
  { name, replicated, begin, end }: TopologyFault,
): Promise<void> {
  const { producer, runs } = crew
  const send = (): Promise<AsyncResult[]> =>
    Promise.all(Array.from({ length: count / 2 }, () => producer.sendTask('faults.run')))
  const before = runs.size
  const first = await send()
  await replicated()
  await crew.started(before + count / 10)
  const from = performance.now()
  await begin()
  const second = send()
  await end()
  const faultMs = performance.now() - from
  const results = [...first, ...(await second)]
  const values = await Promise.all(results.map((result) => result.get({ timeout: 40_000 })))
  expect(values).toEqual(results.map(({ id }) => id))
  const repeated = results.filter(({ id }) => (runs.get(id) ?? 0) > 1).length
  const allMs = performance.now() - from
  say(
    `${name}: ${results.length} sent, ${values.length} results, ${repeated} ran again; the fault took ` +
      `${Math.round(faultMs)} ms, all were done after ${Math.round(allMs)} ms`,
  )
  const queue = producer.settings.taskDefaultQueue
  await eventually(async () => (await producer.broker.queueLength(queue)) === 0)
  expect(await producer.broker.deadLetters.count()).toBe(0)
}
