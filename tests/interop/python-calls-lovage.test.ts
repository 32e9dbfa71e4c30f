import { Buffer } from 'node:buffer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Celery, Decimal, pythonErrors, TaskError, Uuid, type RunningWorker } from '../../src/index.js'
import { celeryGenerations } from '../support/celery-generations.js'
import { startPythonClient, type PythonClient } from '../support/python-client.js'
import { startRedis, type RedisServer } from '../support/redis-server.js'

/** What a task returns, and how Python shows what its caller gets. */
const RETURNED: readonly (readonly [value: unknown, repr: string])[] = [
  [42, '42'],
  [-7.25, '-7.25'],
  [2n ** 70n, '1180591620717411303424'],
  [true, 'True'],
  [null, 'None'],
  [undefined, 'None'],
  ['', "''"],
  ['żółw 🐢 \u0000 "quoted"', `'żółw 🐢 \\x00 "quoted"'`],
  [[], '[]'],
  [{ a: [1, { b: null }], ż: {} }, "{'a': [1, {'b': None}], 'ż': {}}"],
  [new Map([['k', [1]]]), "{'k': [1]}"],
  [new Set([1, 'a']), "[1, 'a']"],
  [{ toJSON: () => ({ price: 5 }) }, "{'price': 5}"],
]

/** The same for values that have a type in Python since kombu 5.3, and are text before. */
const TAGGED: readonly (readonly [value: unknown, repr: string, plain: string | undefined])[] = [
  [
    new Date('2024-02-03T04:05:06.789Z'),
    'datetime.datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.timezone.utc)',
    "'2024-02-03T04:05:06.789000Z'",
  ],
  [
    new Uuid('12345678-1234-5678-1234-567812345678'),
    "UUID('12345678-1234-5678-1234-567812345678')",
    "'12345678-1234-5678-1234-567812345678'",
  ],
  [new Decimal('12.340'), "Decimal('12.340')", "'12.340'"],
  [Buffer.from('abc'), "b'abc'", undefined],
  [Buffer.from([255, 0, 1]), "b'\\xff\\x00\\x01'", undefined],
]

/** Exceptions that end a program, and those whose arguments have to be of certain types. */
const UNLIKE_OTHERS: ReadonlySet<string> = new Set([
  ...['BaseException', 'GeneratorExit', 'KeyboardInterrupt', 'SystemExit', 'ExceptionGroup'],
  ...['UnicodeDecodeError', 'UnicodeEncodeError', 'UnicodeTranslateError'],
  ...['SyntaxError', 'IndentationError', 'TabError'],
  // Python makes one of its subclasses by the number.
  'OSError',
])

class PaymentDeclined extends Error {
  override readonly name = 'PaymentDeclined'
}

describe.each(celeryGenerations)('$name calls Lovage', ({ python }) => {
  let redis: RedisServer
  let app: Celery
  let plainApp: Celery
  let workers: readonly RunningWorker[]
  let client: PythonClient
  let isBeforeTags: boolean

  beforeAll(async () => {
    redis = await startRedis()
    const acceptContent = ['json', 'msgpack', 'yaml']
    app = new Celery('interop', { broker: redis.url, backend: redis.url, acceptContent })
    plainApp = new Celery('interop', { broker: redis.url, backend: redis.url, jsonForm: 'plain' })
    app.task('lovage.returned', (index: number) => RETURNED[index]?.[0])
    for (const each of [app, plainApp]) each.task('lovage.tagged', (index: number) => TAGGED[index]?.[0])
    app.task('lovage.received', { kwargs: true }, (...received: unknown[]) => {
      const [kwargs, ...args] = received.toReversed()
      return [args.toReversed().map(shown), shown(kwargs)]
    })
    app.task('lovage.wait', { bind: true }, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    app.task('lovage.raise_type_error', () => {
      throw new TypeError("unsupported operand type(s) for +: 'int' and 'str'")
    })
    app.task('lovage.raise_own', () => {
      throw new PaymentDeclined('card 17 – żółw')
    })
    app.task('lovage.raise_chosen', () => {
      throw new TaskError({ excType: 'KeyError', excModule: 'builtins', excMessage: ['missing'] })
    })
    app.task('lovage.raise_python', (name: keyof typeof pythonErrors, args: unknown[]) => {
      throw new pythonErrors[name](...args)
    })
    app.task('lovage.raise_text', () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- what careless JavaScript does
      throw 'just a text'
    })
    app.task('lovage.now', () => Date.now() / 1000)
    app.task('lovage.positional', (x: number, y: number) => x - y)
    app.task('lovage.named', { argNames: ['x', 'y'] }, (x: number, y: number = 10) => x - y)
    const params = z.object({ x: z.number(), y: z.number().default(10), label: z.string().optional() })
    app.task('lovage.params', { params }, ({ x, y, label }) => [x, y, label ?? null])
    workers = await Promise.all([app.startWorker(), plainApp.startWorker({ queues: ['plain'] })])
    client = startPythonClient({ broker: redis.url, python })
    const version = await client.evaluate('celery.__version__')
    isBeforeTags = String(version).startsWith('5.2.')
  })
  afterAll(async () => {
    await client.stop()
    await Promise.all(workers.map((worker) => worker.stop()))
    await Promise.all([app.close(), plainApp.close()])
    await redis.stop()
  })

  /** What `get()` returns in Python, as Python shows it; an exception comes as its class, module and text. */
  const call = (task: string, call = '', queue = 'celery'): Promise<unknown> =>
    client.evaluate(`
import datetime, decimal, uuid
sent = app.send_task(${JSON.stringify(task)}, ${call === '' ? '' : `${call}, `}queue='${queue}')
try:
    result = repr(sent.get(timeout=20))
except Exception as error:
    result = [type(error).__name__, type(error).__module__, str(error)]
`)

  it.each(RETURNED.map(([value, repr], index) => ({ value, repr, index })))(
    'gets $repr',
    async ({ repr, index }) => {
      expect(await call('lovage.returned', `args=[${index}]`)).toBe(repr)
    },
  )

  it.each(TAGGED.map(([value, repr, plain], index) => ({ value, repr, plain, index })))(
    'gets $repr, or $plain in the plain form',
    async ({ repr, plain, index }) => {
      if (!isBeforeTags) expect(await call('lovage.tagged', `args=[${index}]`)).toBe(repr)
      const answer = await call('lovage.tagged', `args=[${index}]`, 'plain')
      if (plain === undefined) expect(answer).toEqual(['EncodeError', 'kombu.exceptions', expect.anything()])
      else expect(answer).toBe(plain)
    },
  )

  it('hands over arguments of every type', async () => {
    const args = "[1, 2.5, 2**60, None, True, 'ż🐢', [1, [2]], {'k': 'v'}]"
    expect(await call('lovage.received', `args=${args}, kwargs={'label': 'é'}`)).toBe(
      `[['number 1', 'number 2.5', 'bigint 1152921504606846976', 'object null', 'boolean true', 'string "ż🐢"', ` +
        `'object [1,[2]]', 'object {"k":"v"}'], 'object {"label":"é"}']`,
    )
  })

  it('hands over dates, UUIDs, decimals and bytes', async () => {
    const instant = 'datetime.datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.timezone.utc)'
    const values = [instant, "uuid.UUID('12345678123456781234567812345678')", "decimal.Decimal('12.340')"]
    const bytes = isBeforeTags ? [] : ["b'\\xff\\x00'"]
    expect(await call('lovage.received', `args=[${[...values, ...bytes].join(', ')}]`)).toBe(
      isBeforeTags
        ? `[['string "2024-02-03T04:05:06.789000Z"', 'string "12345678-1234-5678-1234-567812345678"', ` +
            `'string "12.340"'], 'object {}']`
        : `[['Date 2024-02-03T04:05:06.789Z', 'string "12345678-1234-5678-1234-567812345678"', ` +
            `'string "12.340"', 'Buffer ff00'], 'object {}']`,
    )
  })

  it('raises what the task threw, with its class and text', async () => {
    const typeError = "unsupported operand type(s) for +: 'int' and 'str'"
    expect(await call('lovage.raise_type_error')).toEqual(['TypeError', 'builtins', typeError])
    expect(await call('lovage.raise_own')).toEqual(['PaymentDeclined', expect.any(String), 'card 17 – żółw'])
    expect(await call('lovage.raise_chosen')).toEqual(['KeyError', 'builtins', "'missing'"])
    expect(await call('lovage.raise_text')).toEqual([
      'NonErrorThrown',
      expect.any(String),
      "string was thrown: 'just a text'",
    ])
    expect(await call('lovage.nowhere')).toEqual(['NotRegistered', 'celery.exceptions', "'lovage.nowhere'"])
  })

  it('raises Python’s own exceptions where the task threw them', async () => {
    const names = Object.keys(pythonErrors).filter((name) => !UNLIKE_OTHERS.has(name))
    const answer = await client.evaluate(`
import builtins
result = []
for name in ${JSON.stringify(names)}:
    sent = app.send_task('lovage.raise_python', args=[name, [2, 'żółw']])
    try:
        sent.get(timeout=20)
    except Exception as error:
        result.append([name, type(error) is getattr(builtins, name), list(error.args)])
`)
    expect(answer).toEqual(names.map((name) => [name, true, [2, 'żółw']]))
  })

  it('shows the state and the traceback of a failure', async () => {
    const id = await client.send('lovage.raise_own')
    await expect(client.get(id)).rejects.toMatchObject({ type: 'PaymentDeclined' })
    const [state, traceback] = (await client.evaluate(
      `[app.AsyncResult('${id}').state, app.AsyncResult('${id}').traceback]`,
    )) as [string, string]
    expect(state).toBe('FAILURE')
    expect(traceback).toMatch(/^Traceback \(most recent call last\):\n/)
    expect(traceback).toMatch(/File ".*python-calls-lovage\.test\.ts", line \d+/)
    expect(traceback).toMatch(/PaymentDeclined: card 17 – żółw\n$/)
  })

  it('binds arguments by position and by name, as a Python function would', async () => {
    expect(await call('lovage.positional', 'args=[5, 3]')).toBe('2')
    expect(await call('lovage.named', 'args=[5, 3]')).toBe('2')
    expect(await call('lovage.named', "args=[5], kwargs={'y': 3}")).toBe('2')
    expect(await call('lovage.named', "kwargs={'y': 3, 'x': 5}")).toBe('2')
    expect(await call('lovage.named', 'args=[5]')).toBe('-5')
    expect(await call('lovage.params', 'args=[5, 3]')).toBe('[5, 3, None]')
    expect(await call('lovage.params', "args=[5], kwargs={'label': 'l'}")).toBe("[5, 10, 'l']")
    expect(await call('lovage.params', "kwargs={'x': 5, 'y': 3, 'label': 'l'}")).toBe("[5, 3, 'l']")
  })

  it.each([
    ['lovage.positional', 'args=[5]', /missing 1 required positional argument/],
    ['lovage.positional', "args=[5], kwargs={'y': 3}", /keyword arguments 'y'/],
    ['lovage.named', 'args=[1, 2, 3]', /takes 2 positional arguments but 3 were given/],
    ['lovage.named', "args=[1], kwargs={'z': 3}", /unexpected keyword argument 'z'/],
    ['lovage.named', "args=[1], kwargs={'x': 3}", /multiple values for argument 'x'/],
    ['lovage.params', "kwargs={'x': 5, 'z': 3}", /unexpected keyword argument 'z'/],
  ])('raises TypeError for %s(%s)', async (task, args, message) => {
    expect(await call(task, args)).toEqual(['TypeError', 'builtins', expect.stringMatching(message)])
  })

  it.each([
    ...["serializer='msgpack'", "serializer='yaml'", "compression='zlib'"],
    "serializer='msgpack', compression='zlib'",
  ])('is understood with %s', async (how) => {
    const expected = `[['number 1', 'string "żółw 🐢"', 'object [2.5,null]'], 'object {"k":true}']`
    const args = "args=[1, 'żółw 🐢', [2.5, None]], kwargs={'k': True}"
    expect(await call('lovage.received', `${args}, ${how}`)).toBe(expected)
  })

  it('is not run before its ETA, nor after its expiry', async () => {
    const sentAt = Date.now() / 1000
    expect(Number(await call('lovage.now', 'countdown=1.5'))).toBeGreaterThanOrEqual(sentAt + 1.5)
    const eta = 'datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=0.5)'
    expect(Number(await call('lovage.now', `eta=${eta}, expires=60`))).toBeGreaterThanOrEqual(sentAt + 2)

    const past = 'datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)'
    const revoked = ['TaskRevokedError', 'celery.exceptions', 'expired']
    expect(await call('lovage.now', `expires=${past}`)).toEqual(revoked)
    expect(await call('lovage.now', 'countdown=1, expires=0.2')).toEqual(revoked)
  })

  it('row 41: is ended at the time limit that came with the call', async () => {
    const id = await client.send('lovage.wait', { options: { time_limit: 0.3 } })
    await expect(client.get(id)).rejects.toMatchObject({ type: 'TimeLimitExceeded', args: [0.3] })
  })

  it('raises what a schema refuses', async () => {
    const expected = ['InvalidParamsError', expect.any(String), expect.stringMatching(/lovage\.params: x: /)]
    expect(await call('lovage.params', "kwargs={'x': 'five'}")).toEqual(expected)
  })
})

function shown(value: unknown): string {
  if (value instanceof Date) return `Date ${value.toISOString()}`
  if (Buffer.isBuffer(value)) return `Buffer ${value.toString('hex')}`
  return `${typeof value} ${typeof value === 'bigint' ? String(value) : JSON.stringify(value)}`
}
