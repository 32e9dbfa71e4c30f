import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { childProcesses } from '../../support/child-processes.js'
import { eventually } from '../../support/eventually.js'
import { lovage, startLovage } from '../cli/lovage.js'
import { startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { RunningProcess } from '../../support/start-process.js'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(async () => {
  await redis.stop()
})

const APP = fileURLToPath(new URL('./apps/shop.js', import.meta.url))

/** A worker of the command, with a queue of its own. */
async function startWorker(queue: string, ...flags: string[]): Promise<RunningProcess> {
  const urls = ['-b', redis.url, '--result-backend', redis.url]
  const worker = await startLovage(['-A', APP, ...urls, 'worker', '-Q', queue, ...flags])
  await worker.waitForLine(/ready\./)
  return worker
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('lovage worker -P', () => {
  it('runs the app of -A in processes, on the broker of -b, and stops them with it', async () => {
    const worker = await startWorker('p', '-P', 'prefork', '-c', '2', '--max-tasks-per-child', '1')
    expect(worker.output()).toContain('.> concurrency: 2 (processes)')
    const app = testApp(redis.url)
    const pids = await Promise.all(
      [1, 2, 3].map(async () => (await app.sendTask<number>('shop.where', [], {}, { queue: 'p' })).get()),
    )
    expect(new Set(pids).size).toBe(3)
    expect(pids).not.toContain(worker.pid)
    await app.sendTask('shop.log', ['said'], {}, { queue: 'p' })
    await worker.waitForLine(/said by a task/)
    const children = childProcesses(worker.pid).map(({ pid }) => pid)
    expect(children.length).toBeGreaterThanOrEqual(2)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
    expect(children.filter(isAlive)).toEqual([])
  })

  it('runs it in threads, with the time limits of its flags', async () => {
    const worker = await startWorker(
      't',
      '-P',
      'threads',
      '-c',
      '1',
      '--soft-time-limit',
      '0.2',
      '--time-limit',
      '1',
    )
    expect(worker.output()).toContain('.> concurrency: 1 (threads)')
    const app = testApp(redis.url)
    const call = (task: string): Promise<unknown> =>
      app.sendTask(task, [], {}, { queue: 't' }).then((sent) => sent.get())
    expect(await call('shop.limit')).toBe('SoftTimeLimitExceeded')
    await expect(call('shop.spin')).rejects.toMatchObject({ excType: 'TimeLimitExceeded' })
    expect(await call('shop.where')).toBe(worker.pid)
    await worker.stop()
  })

  it('has the bundled tasks where no app is named', async () => {
    const env = { REDIS_URL: redis.url, REDIS_KEY_PREFIX: 'bundled:', CELERY_WORKER_POOL: 'processes' }
    const worker = await startLovage(['worker', '--autoscale', '3,1'], { env })
    await worker.waitForLine(/ready\./)
    expect(worker.output()).toContain('.> concurrency: {min=1, max=3} (processes)')
    const { stdout } = await lovage(['call', 'demo.add', '-a', '[40, 2]'], { env })
    expect(await lovage(['result', stdout[0] ?? ''], { env })).toMatchObject({ code: 0, output: ['42'] })
    await worker.stop()
  })

  it('leaves no process behind when it is killed, be it in a loop for ever', async () => {
    const worker = await startWorker('k', '-P', 'processes', '-c', '2')
    const app = testApp(redis.url)
    const spinning = await app.sendTask('shop.spin', [], {}, { queue: 'k' })
    await eventually(async () => (await spinning.state()) === 'AT_WORK')
    const children = childProcesses(worker.pid).map(({ pid }) => pid)
    expect(children).toContain(await spinning.info())
    // The worker alone: what reaches the group would reach its children.
    worker.signal('SIGKILL')
    await worker.exit
    await eventually(() => !children.some(isAlive))
  })

  it('leaves stopping to the worker where a signal reaches the whole group', async () => {
    const worker = await startWorker('g', '-P', 'processes', '-c', '1')
    const app = testApp(redis.url)
    const sent = await app.sendTask('shop.limit', [], {}, { queue: 'g', softTimeLimit: 1 })
    await eventually(() => worker.output().includes('ready.'))
    await eventually(async () => (await app.broker.queueLength('g')) === 0)
    process.kill(-worker.pid, 'SIGINT')
    expect(await worker.exit).toEqual({ code: 0, signal: null })
    expect(await sent.get()).toBe('SoftTimeLimitExceeded')
  })
})
