import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Celery, chain, group, type RunningWorker, type Signature } from '../../src/index.js'
import { celeryGenerations } from '../support/celery-generations.js'
import { eventually } from '../support/eventually.js'
import { startPythonClient, type PythonClient } from '../support/python-client.js'
import { startPythonWorker, type PythonWorker } from '../support/python-worker.js'
import { redisClient, startRedis, type RedisServer } from '../support/redis-server.js'

// Lovage consumes the queue `lovage`, Python the queue `celery`, where each sends what names no queue.
describe.each(celeryGenerations)('what follows a task, with $name', ({ python }) => {
  let redis: RedisServer
  let app: Celery
  let worker: RunningWorker
  let pythonWorker: PythonWorker
  let client: PythonClient
  let doubled: number[]
  let failedIds: string[]

  const double = (options: Readonly<Record<string, unknown>> = {}): Signature<unknown, number> =>
    app.signature<number>('lovage.double', { options: { queue: 'lovage', ...options } })

  beforeAll(async () => {
    redis = await startRedis()
    app = new Celery('interop', { broker: redis.url, backend: redis.url })
    app.task('lovage.double', (x: number) => {
      doubled.push(x)
      return 2 * x
    })
    app.task('lovage.fail', (x: number) => {
      throw new RangeError(`${x} is out of range`)
    })
    app.task('lovage.note_error', (failedId: string) => {
      failedIds.push(failedId)
    })
    worker = await app.startWorker({ queues: ['lovage'] })
    const settings = { broker: redis.url, python }
    client = startPythonClient(settings)
    pythonWorker = await startPythonWorker(settings)
  })
  afterAll(async () => {
    await Promise.all([client.stop(), pythonWorker.kill(), worker.stop()])
    await app.close()
    await redis.stop()
  })
  beforeEach(() => {
    doubled = []
    failedIds = []
  })

  const lovage = (task: string, rest = ''): string => `signature('lovage.${task}', queue='lovage'${rest})`

  it('continues at Python with a link of Python', async () => {
    const code = `
sent = app.send_task('lovage.double', args=[4], queue='lovage', link=add.s(10))
result = [sent.get(timeout=20), sent.children[0].get(timeout=20), sent.children[0].parent is None]`
    expect(await client.evaluate(code)).toEqual([8, 18, true])
  })

  it('continues at Lovage with a link of Python', async () => {
    const code = `
sent = add.apply_async((1, 2), link=[${lovage('double')}, ${lovage('double', ', args=[5], immutable=True')}])
sent.get(timeout=20)
result = sorted(child.get(timeout=20) for child in sent.children[0].children or sent.children)`
    expect(await client.evaluate(code)).toEqual([6, 10])
  })

  it('continues at the other side with a link of Lovage', async () => {
    const add = app.remoteTask<[number, number], number>('pytasks.add')
    const atLovage = await add.applyAsync({ args: [1, 2], link: double({ task_id: 'there' }) })
    expect(await atLovage.get({ timeout: 20_000 })).toBe(3)
    expect(await app.asyncResult('there').get({ timeout: 20_000 })).toBe(6)

    const link = app.signature('pytasks.add', { args: [10], options: { task_id: 'back' } })
    const atPython = await app.sendTask('lovage.double', [4], {}, { queue: 'lovage', link })
    expect(await atPython.get({ timeout: 20_000 })).toBe(8)
    expect(await app.asyncResult('back').get({ timeout: 20_000 })).toBe(18)
    expect((await atPython.children()).map(({ id }) => id)).toEqual(['back'])
  })

  it('runs a chain of both sides, whoever sends it', async () => {
    const code = `chain(add.s(1, 2), ${lovage('double')}, add.s(100), ${lovage('double')})`
    expect(await client.evaluate(`${code}.apply_async().get(timeout=20)`)).toBe(212)
    expect(doubled).toEqual([3, 106])

    const starts = `chain(${lovage('double', ', args=[7]')}, add.s(1), ${lovage('double')})`
    expect(await client.evaluate(`${starts}.apply_async().get(timeout=20)`)).toBe(30)
  })

  it('names root and parent of each step', async () => {
    const code = `
last = chain(${lovage('double', ', args=[7]')}, signature('pytasks.request', immutable=True)).apply_async()
request = last.get(timeout=20)
result = [request['root_id'] == last.parent.id, request['parent_id'] == last.parent.id]`
    expect(await client.evaluate(code)).toEqual([true, true])
  })

  it('tells who waits for the end of a chain of the failure in its middle', async () => {
    const code = `
last = chain(add.s(1, 2), ${lovage('fail')}, add.s(100)).apply_async()
try:
    last.get(timeout=20)
except Exception as error:
    result = [type(error).__name__, str(error), last.state]`
    expect(await client.evaluate(code)).toEqual(['RangeError', '3 is out of range', 'FAILURE'])
  })

  it('calls an errback of the other side with the id of what failed', async () => {
    const atLovage = `app.send_task('lovage.fail', args=[1], queue='lovage', link_error=note_error.s('errors')).id`
    const failedHere = await client.evaluate(atLovage)
    const notes = redisClient(redis.url)
    expect(await eventually(() => notes.lpop('errors'))).toBe(failedHere)

    const failedThere = await client.evaluate(`fail.apply_async(link_error=${lovage('note_error')}).id`)
    await eventually(() => failedIds.length > 0)
    expect(failedIds).toEqual([failedThere])
  })

  it('calls no errback for a success', async () => {
    const code = `app.send_task('lovage.double', args=[1], queue='lovage', link_error=${lovage('note_error')}).get()`
    expect(await client.evaluate(code)).toBe(2)
    expect(await app.broker.queueLength('lovage')).toBe(0)
    expect(failedIds).toEqual([])
  })

  it('takes part in chords of Python, and lets Python finish its own', async () => {
    const inHeader = `chord([add.s(1, 1), ${lovage('double', ', args=[4]')}, add.s(2, 2)], xsum.s())`
    expect(await client.evaluate(`${inHeader}.apply_async().get(timeout=20)`)).toBe(14)
    const asBody = `chain(add.s(1, 1), group(add.s(1), ${lovage('double')}), xsum.s(), ${lovage('double')})`
    expect(await client.evaluate(`${asBody}.apply_async().get(timeout=20)`)).toBe(14)

    const add = app.remoteTask<[number, number], number>('pytasks.add')
    const xsum = app.remoteTask<[number[]], number>('pytasks.xsum')
    const body = await chain(
      group(add.s(1, 2), double({}).clone({ args: [5] })),
      xsum.s(),
      double(),
    ).applyAsync()
    expect(await app.asyncResult((body as { id: string }).id).get({ timeout: 20_000 })).toBe(26)
  })

  it('tells both sides of the failure of a chord', async () => {
    const code = `
body = chord([add.s(1, 1), ${lovage('fail', ', args=[5]')}], xsum.s()).apply_async()
error = body.get(timeout=20, propagate=False)
result = [type(error).__name__, 'RangeError' in str(error)]`
    expect(await client.evaluate(code)).toEqual(['ChordError', true])
  })
})
