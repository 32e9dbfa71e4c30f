import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { appModule, startLovage } from '../integration/cli/lovage.js'
import { eventually } from '../support/eventually.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { say } from '../support/say.js'
import { scaled } from '../support/scale.js'
import { testApp } from '../support/test-app.js'
import type { AsyncResult } from '../../src/index.js'
import type { RunningProcess } from '../support/start-process.js'

const RESTARTS = scaled(9, 200)
/** So many workers at a time, each of which is replaced over and over. */
const WORKERS = 3
const LONGEST_TASK_MS = 100
const DONE_WITHIN_MS = 30_000

it(
  `row 26: ${RESTARTS} rolling restarts under load lose nothing, and run nothing twice`,
  { timeout: 60_000 + RESTARTS * 5000 },
  async () => {
    const { url } = await startRedis()
    const redis = redisClient(url)
    const app = testApp(url)
    const startWorker = async (): Promise<RunningProcess> => {
      const flags = ['-A', appModule('stopping.js'), '-b', url, '--result-backend', url]
      const worker = await startLovage([...flags, 'worker', '-c', '10'])
      await worker.waitForLine(/ready\./)
      return worker
    }

    const results: AsyncResult[] = []
    let isOver = false
    const produce = async (): Promise<void> => {
      while (!isOver) {
        const some = Array.from({ length: 10 }, () =>
          app.sendTask('stopping.count', ['runs', Math.floor(Math.random() * LONGEST_TASK_MS)]),
        )
        results.push(...(await Promise.all(some)))
        await sleep(40)
      }
    }

    let restarts = 0
    let amidWork = 0
    const replaceOverAndOver = async (): Promise<void> => {
      let worker = await startWorker()
      while (restarts < RESTARTS) {
        restarts++
        const next = await startWorker()
        if ((await redis.hlen('unacked')) > 0) amidWork++
        worker.signal('SIGTERM')
        expect(await worker.exit).toEqual({ code: 0, signal: null })
        worker = next
      }
    }
    const producing = produce()
    await Promise.all(Array.from({ length: WORKERS }, replaceOverAndOver))
    isOver = true
    await producing

    await Promise.all(results.map((result) => result.get({ timeout: DONE_WITHIN_MS })))
    const runs = Object.values(await redis.hgetall('runs')).map(Number)
    const repeated = runs.filter((count) => count > 1).length
    say(`${restarts} restarts, ${amidWork} amid work: ${results.length} tasks, ${repeated} ran again`)
    expect(runs).toHaveLength(results.length)
    expect(repeated).toBe(0)
    expect(amidWork).toBeGreaterThan(RESTARTS / 2)
    await eventually(async () => (await redis.exists('celery', 'unacked', 'unacked_index')) === 0)
    expect(await redis.zcard('lovage.leases')).toBe(WORKERS)
  },
)
