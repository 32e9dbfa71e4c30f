import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Celery, TaskError, type RunningWorker } from '../../../src/index.js'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'

const WITHIN_MS = 10_000

const cycle: Record<string, unknown> = { name: 'loop' }
cycle.self = cycle

class Unspeakable extends Error {
  override get message(): string {
    throw new Error('not even its message can be read')
  }
}

/** What a task may throw, and what its caller gets (wire protocol, section 10.4). */
const THROWN: readonly { name: string; thrown: unknown; excType: string; excMessage?: readonly unknown[] }[] =
  [
    { name: 'an Error', thrown: new Error('plain'), excType: 'Error', excMessage: ['plain'] },
    { name: 'an Error without a message', thrown: new RangeError(), excType: 'RangeError', excMessage: [] },
    { name: 'a text', thrown: 'oops', excType: 'NonErrorThrown', excMessage: ["string was thrown: 'oops'"] },
    { name: 'undefined', thrown: undefined, excType: 'NonErrorThrown', excMessage: ['undefined was thrown'] },
    { name: 'null', thrown: null, excType: 'NonErrorThrown', excMessage: ['null was thrown'] },
    {
      name: 'a number',
      thrown: Number.NaN,
      excType: 'NonErrorThrown',
      excMessage: ['number was thrown: NaN'],
    },
    { name: 'a BigInt', thrown: 10n ** 20n, excType: 'NonErrorThrown' },
    { name: 'a symbol', thrown: Symbol('secret'), excType: 'NonErrorThrown' },
    { name: 'a function', thrown: () => 1, excType: 'NonErrorThrown' },
    { name: 'an object with a cycle', thrown: cycle, excType: 'NonErrorThrown' },
    { name: 'an object without a prototype', thrown: Object.create(null), excType: 'NonErrorThrown' },
    {
      name: 'an object whose inspection throws',
      thrown: {
        [Symbol.for('nodejs.util.inspect.custom')]() {
          throw new Error('not to be looked at')
        },
      },
      excType: 'NonErrorThrown',
    },
    { name: 'an Error whose message throws', thrown: new Unspeakable(), excType: 'NonErrorThrown' },
    { name: 'an Error that is its own cause', thrown: ownCause(), excType: 'Error' },
    {
      name: 'an Error with an argument that JSON lacks',
      thrown: new TaskError({
        excType: 'ValueError',
        excModule: 'builtins',
        excMessage: [cycle, Number.NaN],
      }),
      excType: 'ValueError',
    },
    { name: 'an Error of 5 MB', thrown: new Error('x'.repeat(5 * 2 ** 20)), excType: 'Error' },
  ]

/** What a task may return that is unusual, and what its caller gets. */
const RETURNED: readonly { name: string; returned: unknown; got: unknown }[] = [
  { name: 'undefined', returned: undefined, got: null },
  { name: 'null', returned: null, got: null },
  { name: 'a BigInt', returned: 10n ** 20n, got: 10n ** 20n },
  { name: 'a Date', returned: new Date(1e12), got: new Date(1e12) },
  { name: 'a Map', returned: new Map([['a', 1]]), got: { a: 1 } },
  { name: 'a Set', returned: new Set([1, 'a']), got: [1, 'a'] },
  { name: 'bytes', returned: Buffer.from([255, 0]), got: Buffer.from([255, 0]) },
  {
    name: 'an object with toJSON',
    returned: { toJSON: () => ({ at: new Date(1e12) }) },
    got: { at: new Date(1e12) },
  },
  { name: 'undefined within', returned: { a: undefined, b: [undefined] }, got: { b: [null] } },
  { name: 'a text of 5 MB', returned: 'x'.repeat(5 * 2 ** 20), got: 'x'.repeat(5 * 2 ** 20) },
  { name: 'half of a surrogate pair', returned: '\ud83d', got: expect.any(String) },
]

/** What no serializer can hold: the task fails, and says where the value is. */
const UNSTORABLE: readonly { name: string; returned: unknown; reason: RegExp }[] = [
  { name: 'NaN', returned: Number.NaN, reason: /NaN/ },
  { name: 'Infinity within', returned: { sizes: [1, -Infinity] }, reason: /sizes\[1\].*-Infinity/ },
  { name: 'a cycle', returned: cycle, reason: /self refers back to an object that contains it/ },
  { name: 'a function', returned: { call: () => 1 }, reason: /call.*function/ },
  { name: 'a symbol', returned: Symbol('s'), reason: /symbol/ },
  { name: 'an Error', returned: [{ fault: new Error('x') }], reason: /result\[0\]\.fault is an Error/ },
  { name: 'a regular expression', returned: { a: /x/ }, reason: /result\.a is an instance of RegExp/ },
  {
    name: 'an object with a getter that throws',
    returned: {
      get here() {
        throw new RangeError('nothing to see')
      },
    },
    reason: /result cannot be read: RangeError: nothing to see/,
  },
  { name: 'a type that kombu lacks', returned: { __type__: 'money', __value__: 5 }, reason: /__type__/ },
  {
    name: 'an object whose toJSON throws',
    returned: {
      toJSON() {
        throw new RangeError('no JSON of this')
      },
    },
    reason: /no JSON of this/,
  },
]

describe.each(['Redis', 'memory'])('a worker on %s', (kind) => {
  let redis: RedisServer | undefined
  let app: Celery
  let worker: RunningWorker
  const unhandled: unknown[] = []
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

  beforeAll(async () => {
    process.on('unhandledRejection', onUnhandled)
    redis = kind === 'Redis' ? await startRedis() : undefined
    const url = redis?.url ?? 'memory://'
    app = new Celery('bad-outcomes', { broker: url, backend: url })
    app.task('good', (x: number) => x)
    const throws = (index: number): never => {
      throw THROWN[index]?.thrown
    }
    app.task('throw', throws)
    app.task('reject', async (index: number) => {
      await Promise.resolve()
      throws(index)
    })
    app.task('return', (index: number) => [...RETURNED, ...UNSTORABLE][index]?.returned)
    app.task('resolve', (index: number) => Promise.resolve([...RETURNED, ...UNSTORABLE][index]?.returned))
    worker = await app.startWorker()
  })
  afterAll(async () => {
    await worker.stop()
    await app.close()
    await redis?.stop()
    process.off('unhandledRejection', onUnhandled)
  })

  const expectUnharmed = async (): Promise<void> => {
    expect(await (await app.sendTask('good', [42])).get({ timeout: WITHIN_MS })).toBe(42)
    expect(unhandled).toEqual([])
    await eventually(() => worker.counts().active === 0)
    expect(await app.broker.deadLetters.count()).toBe(0)
    if (redis === undefined) return
    const observer = redisClient(redis.url)
    await eventually(async () => (await observer.exists('celery', 'unacked', 'unacked_index')) === 0)
  }

  describe.each(['throw', 'reject'])('%s', (task) => {
    it.each(THROWN.map((each, index) => ({ ...each, index })))(
      'makes a failure of $name',
      async ({ index, excType, excMessage }) => {
        const result = await app.sendTask(task, [index])
        const error: unknown = await result.get({ timeout: WITHIN_MS }).catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(TaskError)
        expect(error).toMatchObject({ excType, ...(excMessage === undefined ? {} : { excMessage }) })
        expect((error as TaskError).traceback).toMatch(/^Traceback \(most recent call last\):\n/)
        expect(await result.state()).toBe('FAILURE')
        await expectUnharmed()
      },
    )
  })

  describe.each(['return', 'resolve'])('%s', (task) => {
    it.each(RETURNED.map((each, index) => ({ ...each, index })))(
      'hands over $name',
      async ({ index, got }) => {
        const result = await app.sendTask(task, [index])
        expect(await result.get({ timeout: WITHIN_MS })).toEqual(got)
        await expectUnharmed()
      },
    )

    it.each(UNSTORABLE.map((each, index) => ({ ...each, index: RETURNED.length + index })))(
      'fails with a reason for $name',
      async ({ index, reason }) => {
        const result = await app.sendTask(task, [index])
        const error: unknown = await result.get({ timeout: WITHIN_MS }).catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({
          excType: 'EncodeError',
          excModule: 'kombu.exceptions',
        })
        expect((error as TaskError).message).toMatch(reason)
        await expectUnharmed()
      },
    )
  })
})

function ownCause(): Error {
  const error = new Error('around and around')
  error.cause = error
  return error
}
