import { EventEmitter, once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { eventually } from '../support/eventually.js'
import { startPythonClient } from '../support/python-client.js'
import { startPythonWorker } from '../support/python-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'

describe.each(celeryGenerations)('a retry, with $name', ({ python }) => {
  it('by Lovage is told to the Python caller while it waits, and when it is over', async () => {
    const { url } = await startRedis()
    const app = testApp(url, { resultExtended: true })
    const startedAt: number[] = []
    app.task('lovage.flaky', { bind: true, maxRetries: 1 }, (task, x: number) => {
      startedAt.push(Date.now())
      if (task.request.retries === 0) throw task.retry({ countdown: 1.5, cause: new RangeError('not yet') })
      return [x, task.request.retries]
    })
    await using client = startPythonClient({ broker: url, python })
    await using worker = await app.startWorker()

    const id = await client.send('lovage.flaky', { args: [7] })
    const described = `[[r.state, r.retries, type(r.result).__name__, str(r.result)] for r in [app.AsyncResult('${id}')]][0]`
    const told = await eventually(async () => {
      const answer = (await client.evaluate(described)) as unknown[]
      return answer[0] === 'RETRY' && answer
    })
    expect(told).toEqual(['RETRY', 0, 'RangeError', 'not yet'])
    expect(await client.get(id)).toEqual([7, 1])
    expect(await client.evaluate(`app.AsyncResult('${id}').retries`)).toBe(1)
    expect((startedAt[1] ?? 0) - (startedAt[0] ?? 0)).toBeGreaterThanOrEqual(1500)
    expect(worker.counts()).toMatchObject({ started: 2, retried: 1, succeeded: 1 })
  })

  it('by Lovage ends in the cause, or says that there were too many', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    app.task('lovage.never', { bind: true, maxRetries: 2 }, (task, hasCause: boolean) => {
      throw task.retry({ countdown: 0, ...(hasCause ? { cause: new RangeError('never') } : {}) })
    })
    await using client = startPythonClient({ broker: url, python })
    await using worker = await app.startWorker()

    const withCause = await client.send('lovage.never', { args: [true] })
    await expect(client.get(withCause)).rejects.toMatchObject({ type: 'RangeError', args: ['never'] })
    const without = await client.send('lovage.never', { args: [false] })
    await expect(client.get(without)).rejects.toMatchObject({
      type: 'MaxRetriesExceededError',
      args: [`Can't retry lovage.never[${without}] args:(False,) kwargs:{}`],
    })
    expect(worker.counts()).toMatchObject({ started: 6, retried: 4, failed: 2 })
  })

  it('by Lovage is run by Python, with everything the message carried', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const isRunning = new EventEmitter()
    app.task('pytasks.retry_once', { bind: true }, (task, _value: number) => {
      isRunning.emit('stop')
      throw task.retry({ countdown: 0, cause: new Error('the other one may do it') })
    })
    const worker = await app.startWorker()
    // From within, so that nothing is claimed afterwards.
    const stopped = once(isRunning, 'stop').then(() => worker.stop())
    await using client = startPythonClient({ broker: url, python })
    const sent = `
sent = retry_once.apply_async((5,), link=add.s(1), headers={'tenant': 't-1'}, expires=600, priority=3)
result = sent.id`
    const id = (await client.evaluate(sent)) as string
    await stopped
    const observer = redisClient(url)
    const [text = ''] = await observer.lrange('celery\x06\x163', 0, -1)
    expect(JSON.parse(text)).toMatchObject({
      headers: {
        id,
        retries: 1,
        eta: null,
        tenant: 't-1',
        parent_id: id,
        root_id: id,
        expires: expect.any(String) as string,
      },
      properties: { priority: 3, correlation_id: id },
    })

    await using pythonWorker = await startPythonWorker({ broker: url, python })
    expect(await client.get(id)).toBe(5)
    expect(await client.evaluate(`app.AsyncResult('${id}').children[0].get(timeout=20)`)).toBe(6)
    await pythonWorker.kill()
  })

  it('by Python is run by Lovage', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    app.task('pytasks.retry_at', { bind: true }, ({ request }, queue: string, value: number) => {
      return [queue, value, request.retries, request.eta ?? null]
    })
    await using worker = await app.startWorker({ queues: ['lovage'] })
    await using pythonWorker = await startPythonWorker({ broker: url, python })

    const result = await app.sendTask('pytasks.retry_at', ['lovage', 5])
    expect(await result.get({ timeout: 20_000 })).toEqual(['lovage', 5, 1, null])
    expect(worker.counts().succeeded).toBe(1)
    await pythonWorker.kill()
  })
})
