import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { closeServer } from '../../support/close-server.js'
import { series } from '../../support/metrics.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { RunningWorker } from '../../../src/index.js'

const WITHIN = { timeout: 10_000, interval: 20 }

interface Answer {
  readonly status: number
  readonly text: string
}

async function get(worker: RunningWorker, path: string, method = 'GET'): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${worker.httpPort}${path}`, { method })
  return { status: response.status, text: await response.text() }
}

describe('the port of a worker', () => {
  it('row 34: says that it is alive whatever happens to the broker, and ready while that answers', async () => {
    const server = await startRedis()
    const app = testApp(server.url, { workerLease: 1 })
    await using worker = await app.startWorker({ httpPort: 0, hostname: 'w@h' })
    await vi.waitFor(async () => expect(await get(worker, '/ready')).toMatchObject({ status: 200 }), WITHIN)
    expect(await get(worker, '/readiness')).toEqual({
      status: 200,
      text: '{"redis":{"configured":true,"ok":true,"details":"ok"}}',
    })
    await server.process.kill()
    await vi.waitFor(async () => {
      const { status, text } = await get(worker, '/readiness')
      expect([status, text]).toEqual([503, expect.stringMatching(/the broker has not answered for \d+ s/)])
    }, WITHIN)
    for (const path of ['/healthz', '/live'])
      expect(await get(worker, path)).toEqual({ status: 200, text: '{"status":"ok"}' })
    await server.restart()
    await vi.waitFor(async () => expect(await get(worker, '/ready')).toMatchObject({ status: 200 }), WITHIN)
  })

  it('row 34: is ready while it has no room for more, and not while it stops', async () => {
    const server = await startRedis()
    const app = testApp(server.url, { workerLease: 0.2 })
    let finish: () => void = () => undefined
    app.task('long', () => new Promise<void>((resolve) => (finish = resolve)))
    const worker = await app.startWorker({ httpPort: 0, concurrency: 1, prefetchMultiplier: 1 })
    await app.sendTask('long')
    await vi.waitFor(() => expect(worker.counts().active).toBe(1), WITHIN)
    // Longer than the lease.
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(await get(worker, '/ready')).toMatchObject({ status: 200 })
    const stopping = worker.stop()
    expect(await get(worker, '/ready')).toMatchObject({ status: 503 })
    expect(await get(worker, '/live')).toMatchObject({ status: 200 })
    finish()
    await stopping
    await expect(get(worker, '/live')).rejects.toThrow()
  })

  it('has celery-exporter’s metrics with its labels', async () => {
    const server = await startRedis()
    const app = testApp(server.url)
    app.task('add', (x: number, y: number) => x + y)
    app.task('fail', () => {
      throw new RangeError('no')
    })
    app.task('again', { bind: true }, (task) => {
      if (task.request.retries === 0) throw task.retry({ countdown: 0 })
    })
    app.task('reject', { bind: true }, (task) => {
      throw task.reject('no')
    })
    await using worker = await app.startWorker({ httpPort: 0, hostname: 'w@some.host', queues: ['q'] })
    for (const name of ['add', 'add', 'fail', 'again', 'reject', 'forged-1', 'forged-2'])
      await app.sendTask(name, name === 'add' ? [1, 2] : [], {}, { queue: 'q' })
    await app.sendTask('add', [1, 2], {}, { queue: 'q', expires: new Date(Date.now() - 1000) })
    const labels = (name: string, more = ''): string =>
      `{name="${name}",hostname="some.host",queue_name="q"${more}}`
    await vi.waitFor(async () => {
      expect(await series(worker, 'celery_task_succeeded_total')).toMatchObject({
        [labels('add')]: 2,
        [labels('again')]: 1,
      })
      expect(await series(worker, 'celery_task_revoked_total')).toMatchObject({ [labels('add')]: 1 })
      expect(await series(worker, 'celery_task_failed_total')).toEqual({
        [labels('fail', ',exception="RangeError"')]: 1,
        // Whoever sends messages cannot make series.
        [labels('<unregistered>', ',exception="NotRegistered"')]: 2,
      })
      expect(await series(worker, 'celery_task_rejected_total')).toMatchObject({ [labels('reject')]: 1 })
    }, WITHIN)
    expect(await series(worker, 'celery_task_received_total')).toMatchObject({
      ...{ [labels('add')]: 2, [labels('fail')]: 1, [labels('again')]: 2, [labels('reject')]: 1 },
    })
    expect(await series(worker, 'celery_task_started_total')).toMatchObject({ [labels('add')]: 2 })
    expect(await series(worker, 'celery_task_retried_total')).toMatchObject({
      [labels('again')]: 1,
      [labels('add')]: 0,
    })
    expect(await series(worker, 'celery_task_runtime_count')).toMatchObject({ [labels('add')]: 2 })
    expect(await series(worker, 'celery_worker_up')).toEqual({ '{hostname="some.host"}': 1 })
    expect(await series(worker, 'celery_worker_tasks_active')).toEqual({ '{hostname="some.host"}': 0 })
    expect(await series(worker, 'celery_queue_length')).toEqual({ '{queue_name="q"}': 0 })
    expect(Object.keys(await series(worker, 'lovage_process_resident_memory_bytes'))).toHaveLength(1)
  })

  it('leaves out what it cannot read in time, and answers all the same', async () => {
    const server = await startRedis()
    const app = testApp(server.url)
    await using worker = await app.startWorker({ httpPort: 0 })
    await server.process.kill()
    expect(await series(worker, 'celery_queue_length')).toEqual({})
    expect(Object.keys(await series(worker, 'celery_worker_up'))).toHaveLength(1)
    await server.restart()
  })

  it('knows nothing else, and takes no orders', async () => {
    const app = testApp('memory://')
    await using worker = await app.startWorker({ httpPort: 0 })
    expect(await get(worker, '/../etc/passwd')).toMatchObject({ status: 404 })
    expect(await get(worker, '/metrics?x=1')).toMatchObject({ status: 200 })
    expect(await get(worker, '/metrics', 'DELETE')).toMatchObject({ status: 405 })
    expect((await app.startWorker()).httpPort).toBeUndefined()
  })

  it('says so where it cannot be opened', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    atTestEnd(() => closeServer(taken))
    const { port } = taken.address() as AddressInfo
    const app = testApp('memory://')
    await expect(app.startWorker({ httpPort: port })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}: listen EADDRINUSE`,
    )
  })
})
