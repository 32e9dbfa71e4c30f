import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { isFullScale, scaled } from '../../support/scale.js'
import { say } from '../../support/say.js'
import { startProcess, type RunningProcess } from '../../support/start-process.js'
import { testApp } from '../../support/test-app.js'

const AT_ONCE = 1000
const WARM_UP = scaled(20_000, 50_000)
const TASKS = scaled(30_000, 1_000_000)
/** Of what a worker that has warmed up has resident. */
const MOST_GROWTH = 0.1
/** Less than anything that could be kept of a task. */
const MOST_BYTES_PER_TASK = 50
/** Some come and go; a thousandth of the tasks would be more. */
const MOST_TIMERS_MORE = 10

/** What a worker has after everything that nobody refers to has gone. */
interface Kept {
  readonly succeeded: number
  readonly residentBytes: number
  readonly heapBytes: number
  readonly timers: number
  /** Those that are no timers. */
  readonly handles: number
  readonly listeners: number
  readonly clients: number
}

async function keptBy(worker: RunningProcess, question: string): Promise<Kept> {
  worker.write(`${question}\n`)
  const [, kept = ''] = await worker.waitForLine(new RegExp(`^${question}: (.*)`))
  return JSON.parse(kept) as Kept
}

/** What this process has in use after the same. */
function usedHere(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

it(
  'row 40: keeps nothing of the tasks that a process has sent or worked',
  { timeout: scaled(120_000, 1_200_000) },
  async () => {
    const { url } = await startRedis()
    const redis = redisClient(url)
    const program = path.join(import.meta.dirname, 'row-40-worker.js')
    const worker = startProcess(process.execPath, ['--expose-gc', program, url])
    await worker.waitForLine(/^ready/)
    const app = testApp(url, { resultExpires: 60 })
    const noop = app.task('noop', () => undefined)

    let sent = 0
    const send = async (count: number): Promise<void> => {
      for (const until = sent + count; sent < until; sent += AT_ONCE) {
        const results = await Promise.all(Array.from({ length: AT_ONCE }, () => noop.delay()))
        // Results are waited for, too, by some.
        await Promise.all(results.slice(-10).map((result) => result.get({ timeout: 30_000 })))
      }
      await eventually(async () => (await redis.exists('unacked', 'celery')) === 0, { timeoutMs: 60_000 })
    }
    const connections = async (): Promise<number> =>
      String(await redis.client('LIST')).split(`:${worker.pid} `).length - 1

    await send(WARM_UP)
    const [usedBefore, before, connectionsBefore] = [
      usedHere(),
      await keptBy(worker, 'before'),
      await connections(),
    ]
    await send(TASKS)
    const [usedAfter, after] = [usedHere(), await keptBy(worker, 'after')]
    const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
    if (isFullScale)
      say(
        `a worker has ${mib(before.residentBytes)} resident after ${WARM_UP} tasks, ${mib(after.residentBytes)} after ${TASKS} more`,
      )

    expect(after.succeeded).toBe(WARM_UP + TASKS)
    expect(after.residentBytes / before.residentBytes).toBeLessThan(1 + MOST_GROWTH)
    const { handles, listeners, clients } = before
    expect(after).toMatchObject({ handles, listeners, clients })
    expect(after.timers).toBeLessThanOrEqual(before.timers + MOST_TIMERS_MORE)
    expect(connectionsBefore).toBeGreaterThan(0)
    expect(await connections()).toBe(connectionsBefore)
    expect((after.heapBytes - before.heapBytes) / TASKS).toBeLessThan(MOST_BYTES_PER_TASK)
    expect((usedAfter - usedBefore) / TASKS).toBeLessThan(MOST_BYTES_PER_TASK)
  },
)
