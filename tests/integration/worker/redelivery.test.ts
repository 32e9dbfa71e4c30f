import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { signature, type AppOptions, type Celery, type RunningWorker } from '../../../src/index.js'
import { recordingLog } from '../../support/recording-log.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { testApp } from '../../support/test-app.js'

let redis: SharedRedis
beforeAll(async () => {
  redis = await redisForTests()
})
afterAll(() => redis.stop())

const WITHIN = { timeout: 10_000, interval: 10 }
const GET = { timeout: 10_000 }

function makeApp(where: 'redis' | 'memory', settings: AppOptions = {}): Celery {
  const globalKeyprefix = `${redis.prefix}${randomUUID()}:`
  if (where === 'memory') return testApp('memory://', settings)
  return testApp(redis.url, { ...settings, brokerTransportOptions: { globalKeyprefix } })
}

async function startWorker(app: Celery): Promise<RunningWorker> {
  const worker = await app.startWorker({ hostname: 'celery@here' })
  atTestEnd(() => worker.stop())
  return worker
}

describe.each(['redis', 'memory'] as const)('redelivery on %s', (where) => {
  it('row 20: runs a task taskMaxDeliveries times, then sets its message aside and lets nobody wait for it', async () => {
    const app = makeApp(where, { taskMaxDeliveries: 3 })
    const failed: unknown[] = []
    let runs = 0
    app.task('never', { bind: true }, (task) => {
      // Without a limit it would go round for ever, and leave no room for this test to fail.
      if (++runs > 20) return 'endless'
      throw task.reject('not now', { requeue: true })
    })
    app.task('next', () => 'never reached')
    app.task('note', (id: string) => void failed.push(id))
    const worker = await startWorker(app)
    const later = randomUUID()
    const next = { ...signature('next'), options: { task_id: later } }
    const options = { chain: [next], linkError: [signature('note')] }
    const result = await app.sendTask('never', ['arg'], {}, options)

    await expect(result.get(GET)).rejects.toMatchObject({
      excType: 'WorkerLostError',
      excModule: 'billiard.exceptions',
      excMessage: [expect.stringContaining('never was delivered 3 times without being acknowledged')],
    })
    await expect(app.asyncResult(later).get(GET)).rejects.toMatchObject({ excType: 'WorkerLostError' })
    await vi.waitFor(() => expect(failed).toEqual([result.id]), WITHIN)
    expect(runs).toBe(3)

    await vi.waitFor(async () => expect(await app.deadLetters.count()).toBe(1), WITHIN)
    const [letter] = await app.deadLetters.list()
    expect(letter).toMatchObject({
      code: 'TOO_MANY_DELIVERIES',
      task: 'never',
      taskId: result.id,
      queue: 'celery',
      worker: 'celery@here',
      deliveries: 4,
    })
    expect(letter?.message).toMatch(/last to celery@here; the limit taskMaxDeliveries is 3$/)
    expect(letter?.history.map(({ cause, worker }) => `${cause} ${worker}`)).toEqual(
      Array.from({ length: 3 }, () => 'REQUEUED celery@here'),
    )
    expect(await app.broker.queueLength('celery')).toBe(0)
    expect(worker.counts()).toMatchObject({ deadLettered: 1, failed: 1 })
  })

  it('row 21: runs a dead letter that is retried as often again, and its success replaces the failure', async () => {
    const app = makeApp(where, { taskMaxDeliveries: 2 })
    let isOpen = false
    let runs = 0
    const gate = app.task('gate', { bind: true }, (task, value: unknown) => {
      if (++runs > 20) return 'endless'
      if (!isOpen) throw task.reject('not now', { requeue: true })
      return value
    })
    await startWorker(app)
    const result = await gate.delay({ big: 12345678901234567890n, text: 'ünïcode 🌿' })
    await expect(result.get(GET)).rejects.toMatchObject({ excType: 'WorkerLostError' })
    await vi.waitFor(async () => expect(await app.deadLetters.count()).toBe(1), WITHIN)
    expect(await app.deadLetters.retry('all')).toBe(1)
    await vi.waitFor(async () => expect(await app.deadLetters.count()).toBe(1), WITHIN)
    expect(runs).toBe(4)
    isOpen = true
    expect(await app.deadLetters.retry({ code: 'TOO_MANY_DELIVERIES' })).toBe(1)
    await vi.waitFor(async () => expect(await result.state()).toBe('SUCCESS'), WITHIN)
    expect(await result.get(GET)).toEqual({ big: 12345678901234567890n, text: 'ünïcode 🌿' })
    expect(runs).toBe(5)
    expect(await app.deadLetters.count()).toBe(0)
  })

  it('counts no stop: one deployment after the other kills no task', async () => {
    const app = makeApp(where, { taskMaxDeliveries: 1, workerShutdownTimeout: 0.01 })
    let runs = 0
    const slow = app.task('slow', { bind: true }, async ({ signal }) => {
      if (++runs === 4) return 'done'
      await once(signal, 'abort')
      return 'too late'
    })
    const result = await slow.delay()
    for (let deployment = 1; deployment <= 3; deployment++) {
      const worker = await startWorker(app)
      await vi.waitFor(() => expect(runs).toBe(deployment), WITHIN)
      await worker.stop()
    }
    await startWorker(app)
    expect(await result.get(GET)).toBe('done')
    expect(await app.deadLetters.count()).toBe(0)
  })

  it('counts a retry from the beginning: it is a message of its own', async () => {
    const app = makeApp(where, { taskMaxDeliveries: 1 })
    const again = app.task('again', { bind: true, maxRetries: 5 }, (task) => {
      if (task.request.retries < 4) throw task.retry({ countdown: 0 })
      return task.request.retries
    })
    await startWorker(app)
    expect(await (await again.delay()).get(GET)).toBe(4)
    expect(await app.deadLetters.count()).toBe(0)
  })

  it('acknowledges what had succeeded when its acknowledgement was lost, without another word', async () => {
    const log = recordingLog()
    const app = makeApp(where, { taskMaxDeliveries: 1, log })
    let runs = 0
    const task = app.task('done', () => ++runs)
    const worker = await startWorker(app)
    const { id } = await task.delay()
    await app.asyncResult(id).get(GET)
    await worker.stop()

    const failed: unknown[] = []
    app.task('note', (failedId: string) => void failed.push(failedId))
    // The same message once more, as if it had come back.
    await app.sendTask('done', [], {}, { taskId: id, queue: 'held', linkError: [signature('note')] })
    const consumer = app.broker.consumer({ queues: ['held'], consumerId: 'celery@gone:1' })
    await consumer.start()
    const [delivery] = (await consumer.claim(1)).deliveries
    if (delivery === undefined) throw new Error('nothing to claim')
    await consumer.requeue(delivery)
    await consumer.stop()
    const second = await app.startWorker({ queues: ['held', 'celery'] })
    atTestEnd(() => second.stop())
    const told = (): unknown =>
      log.lines.find(({ message }) => /had succeeded when its worker was lost/.test(message))
    await vi.waitFor(() => expect(told()).toBeDefined(), WITHIN)
    await second.stop()
    expect(runs).toBe(1)
    expect(failed).toEqual([])
    expect(await app.asyncResult(id).state()).toBe('SUCCESS')
    expect(await app.deadLetters.count()).toBe(0)
    expect(second.counts()).toMatchObject({ failed: 0, deadLettered: 0 })
  })
})
