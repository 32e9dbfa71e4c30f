import { Buffer } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Celery,
  Decimal,
  pythonErrors,
  TaskError,
  Uuid,
  type AppOptions,
  type SendOptions,
} from '../../src/index.js'
import { celeryGenerations } from '../support/celery-generations.js'
import { startPythonClient, type PythonClient } from '../support/python-client.js'
import { startPythonWorker, type PythonWorker } from '../support/python-worker.js'
import { redisClient, startRedis, type RedisServer } from '../support/redis-server.js'

interface Told {
  readonly type: string
  readonly repr: string
}

interface PythonRequest {
  readonly id: string
  readonly root_id: string
  readonly delivery_info: { readonly priority: number; readonly routing_key: string }
  readonly [name: string]: unknown
}

/** A value, and how Python shows what arrives: in the tagged form, which kombu 5.3 and later read, and in the plain. */
const VALUES: readonly { value: unknown; tagged: string; plain?: string }[] = [
  { value: 42, tagged: 'int 42', plain: 'int 42' },
  { value: -2.5, tagged: 'float -2.5', plain: 'float -2.5' },
  {
    value: 9007199254740993n,
    tagged: 'int 9007199254740993',
    plain: 'int 9007199254740993',
  },
  { value: null, tagged: 'NoneType None', plain: 'NoneType None' },
  { value: true, tagged: 'bool True', plain: 'bool True' },
  { value: 'żółw 🐢', tagged: "str 'żółw 🐢'", plain: "str 'żółw 🐢'" },
  {
    value: [1, { a: ['b'] }],
    tagged: "list [1, {'a': ['b']}]",
    plain: "list [1, {'a': ['b']}]",
  },
  {
    value: new Date('2024-02-03T04:05:06.789Z'),
    tagged: 'datetime datetime.datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.timezone.utc)',
    plain: "str '2024-02-03T04:05:06.789000Z'",
  },
  {
    value: new Uuid('12345678123456781234567812345678'),
    tagged: "UUID UUID('12345678-1234-5678-1234-567812345678')",
    plain: "str '12345678-1234-5678-1234-567812345678'",
  },
  { value: new Decimal('12.340'), tagged: "Decimal Decimal('12.340')", plain: "str '12.340'" },
  { value: Buffer.from('abc'), tagged: "bytes b'abc'" },
  { value: Buffer.from([255, 0]), tagged: "bytes b'\\xff\\x00'" },
]

describe.each(celeryGenerations)('Lovage calls $name', ({ python }) => {
  let redis: RedisServer
  let app: Celery
  let worker: PythonWorker
  let client: PythonClient
  let isBeforeTags: boolean
  const apps: Celery[] = []

  const makeApp = (settings: AppOptions = {}): Celery => {
    const made = new Celery('interop', { broker: redis.url, backend: redis.url, ...settings })
    apps.push(made)
    return made
  }
  const call = async (app: Celery, task: string, options: SendOptions = {}): Promise<unknown> =>
    (await app.sendTask(task, [], {}, options)).get({ timeout: 20_000 })

  beforeAll(async () => {
    redis = await startRedis()
    const settings = { broker: redis.url, python }
    client = startPythonClient(settings)
    const version = client.evaluate('celery.__version__')
    worker = await startPythonWorker(settings)
    isBeforeTags = String(await version).startsWith('5.2.')
    app = makeApp(isBeforeTags ? { jsonForm: 'plain' } : {})
  })
  afterAll(async () => {
    await Promise.all([client.stop(), worker.kill(), ...apps.map((each) => each.close())])
    await redis.stop()
  })

  it('gets what Python returned', async () => {
    const result = await app.remoteTask<[number, number], number>('pytasks.mul').delay(6, 7)

    expect(await result.get({ timeout: 20_000 })).toBe(42)
    expect(await result.state()).toBe('SUCCESS')
  })

  it('throws what Python raised, with class, arguments and the Python traceback', async () => {
    const failed = await app.remoteTask('pytasks.fail_order').delay(17, 'sold out – żółw')
    const error: unknown = await failed.get({ timeout: 20_000 }).catch((thrown: unknown) => thrown)

    expect(error).toBeInstanceOf(TaskError)
    expect(error).toMatchObject({
      code: 'TASK_FAILED',
      excType: 'OrderError',
      excModule: 'pytasks',
      excMessage: [17, 'sold out – żółw'],
      message: "OrderError: (17, 'sold out – żółw')",
      taskId: failed.id,
    })
    const { traceback } = error as TaskError
    expect(traceback).toContain('Traceback (most recent call last):\n')
    expect(traceback).toMatch(/pytasks\.py", line \d+, in fail_order/)

    const plain = await app.remoteTask('pytasks.fail').delay('boom')
    await expect(plain.get({ timeout: 20_000 })).rejects.toMatchObject({
      excType: 'ValueError',
      message: 'ValueError: boom',
    })
    const boom: unknown = await plain.get({ timeout: 20_000 }).catch((thrown: unknown) => thrown)
    expect(boom).toBeInstanceOf(pythonErrors.ValueError)
    const unknown = await app.sendTask('pytasks.nowhere')
    await expect(unknown.get({ timeout: 20_000 })).rejects.toMatchObject({ excType: 'NotRegistered' })
  })

  it('throws Python’s own exceptions by their classes', async () => {
    const raise = app.remoteTask<[name: string, args: unknown[]]>('pytasks.raise_named')
    for (const [name, base] of [
      ['KeyError', 'LookupError'],
      ['FileNotFoundError', 'OSError'],
      ['ZeroDivisionError', 'ArithmeticError'],
      ['RecursionError', 'RuntimeError'],
      ['TimeoutError', 'OSError'],
    ] as const) {
      const sent = await raise.delay(name, [2, 'żółw'])
      const error: unknown = await sent.get({ timeout: 20_000 }).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(pythonErrors[name])
      expect(error).toBeInstanceOf(pythonErrors[base])
      expect(error).toMatchObject({ name, excModule: 'builtins', excMessage: [2, 'żółw'] })
    }
  })

  it('hands over positional and keyword arguments', async () => {
    const result = await app.sendTask('pytasks.echo', [1, 'é'], { label: { deep: [null] } })

    expect(await result.get({ timeout: 20_000 })).toEqual({
      args: [1, 'é'],
      kwargs: { label: { deep: [null] } },
    })
  })

  const sent = VALUES.map(({ value }) => value)
  const read = async (sender: Celery, values: readonly unknown[]): Promise<string[]> => {
    const result = await sender.sendTask<{ args: Told[]; kwargs: Record<string, Told> }>(
      'pytasks.types',
      values,
      { last: values.at(-1) },
    )
    const { args, kwargs } = await result.get({ timeout: 20_000 })
    expect(kwargs.last).toEqual(args.at(-1))
    return args.map(({ type, repr }) => `${type} ${repr}`)
  }

  it('hands over dates, UUIDs, decimals and bytes as what they are to kombu 5.3 and later', async () => {
    if (!isBeforeTags) expect(await read(app, sent)).toEqual(VALUES.map(({ tagged }) => tagged))
    // Why there is a plain form: nobody tells the tags apart before.
    else expect(await read(makeApp(), [new Date(0)])).toEqual([expect.stringMatching(/^dict .*__type__/)])
  })

  it('hands over dates, UUIDs and decimals as texts in the plain form', async () => {
    const plain = VALUES.filter((each) => each.plain !== undefined)
    const plainApp = makeApp({ jsonForm: 'plain' })

    expect(
      await read(
        plainApp,
        plain.map(({ value }) => value),
      ),
    ).toEqual(plain.map((each) => each.plain))
    await expect(plainApp.sendTask('pytasks.types', [Buffer.from('abc')])).rejects.toMatchObject({
      code: 'ENCODE_ERROR',
    })
  })

  it.each(['msgpack', 'yaml'])('is understood in %s', async (serializer) => {
    const result = await app.sendTask(
      'pytasks.echo',
      [1, 'ż🐢', [2.5, null]],
      { k: { v: true } },
      { serializer },
    )
    expect(await result.get({ timeout: 20_000 })).toEqual({
      args: [1, 'ż🐢', [2.5, null]],
      kwargs: { k: { v: true } },
    })
  })

  it.each(['zlib', 'gzip'])('is understood when compressed with %s', async (compression) => {
    const text = 'żółw '.repeat(2000)
    const id = `compressed-${compression}`
    const options = { compression, taskId: id, queue: `held-${compression}` }
    await app.sendTask('pytasks.echo', [text], {}, options)
    const observer = redisClient(redis.url)
    const [envelope = ''] = await observer.lrange(options.queue, 0, -1)
    expect(envelope.length).toBeLessThan(text.length / 5)

    await observer.rpoplpush(options.queue, 'celery')
    expect(await app.asyncResult(id).get({ timeout: 20_000 })).toEqual({ args: [text], kwargs: {} })
  })

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])('is found by Python with priority %i', async (priority) => {
    const request = (await call(app, 'pytasks.request', { priority })) as PythonRequest
    expect(request.delivery_info).toMatchObject({ priority, routing_key: 'celery' })
  })

  it('fills in what a Python task reads of its request', async () => {
    const options = { timeLimit: 50, softTimeLimit: 40, retries: 2, replyTo: 'me', shadow: 'another name' }
    const result = await app.sendTask('pytasks.request', [], {}, options)
    const request = (await result.get({ timeout: 20_000 })) as PythonRequest

    expect(request).toMatchObject({
      id: result.id,
      root_id: result.id,
      correlation_id: result.id,
      parent_id: null,
      group: null,
      task: 'pytasks.request',
      retries: 2,
      timelimit: [50, 40],
      reply_to: 'me',
      argsrepr: '()',
      kwargsrepr: '{}',
      ignore_result: false,
    })
  })

  it('is not run before its ETA, nor much later', async () => {
    const eta = new Date(Date.now() + 1500)
    const ranAt = (await call(app, 'pytasks.now', { eta })) as number
    expect(ranAt * 1000 - eta.getTime()).toBeGreaterThanOrEqual(0)
    expect(ranAt * 1000 - eta.getTime()).toBeLessThan(3000)

    const sentAt = Date.now()
    expect((await call(app, 'pytasks.now', { countdown: 0.5 })) as number).toBeGreaterThanOrEqual(
      (sentAt + 500) / 1000,
    )
  })

  it('is revoked when it arrives past its expiry, and run before', async () => {
    const past = new Date(Date.now() - 1000)
    await expect(call(app, 'pytasks.now', { expires: past })).rejects.toMatchObject({
      excType: 'TaskRevokedError',
      excMessage: ['expired'],
    })
    expect(await call(app, 'pytasks.now', { expires: 60 })).toBeTypeOf('number')
  })

  it('sees states that Python reports on the way', async () => {
    const result = await app.sendTask('pytasks.progress', [2, 'steps'])
    const observer = redisClient(redis.url)
    const seen: unknown[] = []
    await observer.rpush('steps', 'go')
    for await (const { status, result: info } of result) {
      const state = status === 'PROGRESS' ? info : status
      // One that is stored while the watch begins is seen twice.
      if (isDeepStrictEqual(state, seen.at(-1))) continue
      seen.push(state)
      await observer.rpush('steps', 'go')
    }
    expect(seen).toEqual([{ current: 1, total: 2 }, { current: 2, total: 2 }, 'SUCCESS'])
  })
})
