import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { scaled } from '../../support/scale.js'
import { testApp } from '../../support/test-app.js'

const AT_ONCE = 1000
const WARM_UP = 10_000
const TASKS = scaled(40_000, 1_000_000)
/** Less than anything that could be kept of a task. */
const MOST_BYTES_PER_TASK = 50

/** What is in use after everything that nobody refers to has gone. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

it(
  'row 40: keeps nothing of the tasks that a process has sent and worked',
  { timeout: scaled(120_000, 900_000) },
  async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const redis = redisClient(url)
    const echo = app.task('echo', (value: number) => value)
    await using worker = await app.startWorker()
    let sent = 0
    const runSome = async (count: number): Promise<void> => {
      for (const until = sent + count; sent < until; sent += AT_ONCE) {
        const results = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => echo.delay(sent + i)))
        // Results are waited for, too, by some.
        await Promise.all(results.slice(0, 10).map((result) => result.get({ timeout: 30_000 })))
      }
      await eventually(() => worker.counts().succeeded === sent, { timeoutMs: 60_000 })
      await eventually(async () => (await redis.exists('unacked')) === 0)
    }

    await runSome(WARM_UP)
    const before = usedBytes()
    await runSome(TASKS)
    const kept = (usedBytes() - before) / TASKS
    expect(kept).toBeLessThan(MOST_BYTES_PER_TASK)
  },
)
