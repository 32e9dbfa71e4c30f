import { Buffer } from 'node:buffer'
import { deflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Celery, type DeadLetter, type RunningWorker } from '../../../src/index.js'
import { eventually } from '../../support/eventually.js'
import { base64, rawMessage, type RawMessage } from '../../support/raw-message.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'

const WITHIN_MS = 10_000

interface Case {
  readonly name: string
  readonly envelope: string
  readonly code: string
  /** Part of the reason that a person reads. */
  readonly reason?: RegExp
}

const bent = (
  name: string,
  code: string,
  reason: RegExp,
  change: (good: RawMessage) => RawMessage,
): Case => ({
  name,
  code,
  reason,
  envelope: rawMessage('good', [1, 2], change).envelope,
})
const withBody = (name: string, code: string, reason: RegExp, body: unknown): Case =>
  bent(name, code, reason, () => ({ body }))
const withJson = (name: string, code: string, reason: RegExp, json: string): Case =>
  withBody(name, code, reason, base64(json))
const withHeaders = (name: string, code: string, reason: RegExp, headers: object): Case =>
  bent(name, code, reason, (good) => ({ headers: { ...good.headers, ...headers } }))
const withProperties = (name: string, code: string, reason: RegExp, properties: object): Case =>
  bent(name, code, reason, (good) => ({ properties: { ...good.properties, ...properties } }))
const element = (name: string, envelope: string): Case => ({ name, envelope, code: 'UNREADABLE' })

/** What cannot be worked (wire protocol, sections 2, 3.1, 4.3, 4.4, 13.8): set aside with its reason. */
const CASES: readonly Case[] = [
  element('an empty text', ''),
  element('a text that is no JSON', 'hello, worker'),
  element('JSON that is cut off', rawMessage('good').envelope.slice(0, -20)),
  element('a number', '42'),
  element('a list', '[]'),
  element('null', 'null'),
  element('a JSON text', '"task"'),
  element('true', 'true'),

  { name: 'an empty object', envelope: '{}', code: 'BAD_ENVELOPE', reason: /properties|body/ },
  bent('no properties', 'BAD_ENVELOPE', /properties/, () => ({ properties: undefined as never })),
  bent('properties that are a list', 'BAD_ENVELOPE', /properties/, () => ({ properties: [] as never })),
  withProperties('no delivery tag', 'BAD_ENVELOPE', /delivery_tag/, { delivery_tag: undefined }),
  withBody('no body', 'BAD_ENVELOPE', /body must be a string/, undefined),
  withBody('a body that is an object', 'BAD_ENVELOPE', /body must be a string/, { args: [] }),
  bent('no content type', 'BAD_ENVELOPE', /content-type/, () => ({ 'content-type': undefined })),

  bent('an unknown content type', 'CONTENT_DISALLOWED', /text\/html/, () => ({
    'content-type': 'text/html',
  })),
  bent('a content type that is not accepted', 'CONTENT_DISALLOWED', /accept_content/, () => ({
    'content-type': 'application/x-yaml',
  })),

  bent('headers that are null', 'NOT_A_TASK', /headers name none/, () => ({
    headers: null as never,
  })),
  withHeaders('no task header', 'NOT_A_TASK', /headers name none/, { task: undefined }),
  withHeaders('a task that is a number', 'INVALID_TASK_MESSAGE', /task of task/, { task: 17 }),
  withHeaders('a task without a name', 'INVALID_TASK_MESSAGE', /task of task/, { task: '' }),
  withHeaders('no id', 'INVALID_TASK_MESSAGE', /id of the task message/, { id: undefined }),
  withHeaders('an id that is a list', 'INVALID_TASK_MESSAGE', /id of the task message/, { id: ['x'] }),
  withHeaders('an ETA that is no time', 'INVALID_TASK_MESSAGE', /eta .*"tomorrow"/, { eta: 'tomorrow' }),
  withHeaders('an ETA that is a number', 'INVALID_TASK_MESSAGE', /eta .*number 17/, { eta: 17 }),
  withHeaders('an ETA that is empty', 'INVALID_TASK_MESSAGE', /eta .*""/, { eta: '' }),
  withHeaders('an expiry that is no time', 'INVALID_TASK_MESSAGE', /expires .*"never"/, { expires: 'never' }),
  withHeaders('a time limit that is a number', 'INVALID_TASK_MESSAGE', /timelimit/, { timelimit: 5 }),
  withHeaders('one time limit', 'INVALID_TASK_MESSAGE', /timelimit/, { timelimit: [5] }),
  withHeaders('retries that are a text', 'INVALID_TASK_MESSAGE', /retries/, { retries: 'many' }),

  withBody('base64 that is cut off', 'UNDECODABLE_BODY', /no base64, or cut off/, 'W1syLCAzXSwge30'),
  withBody('a body that is no base64', 'UNDECODABLE_BODY', /no base64, or cut off/, '[[], {}, null]'),
  withBody('an empty body', 'UNDECODABLE_BODY', /not JSON/, ''),
  withBody('a body of bytes', 'UNDECODABLE_BODY', /UTF-8/, base64(Buffer.from([0xff, 0xfe, 0x00]))),
  withJson('a body that is no JSON', 'UNDECODABLE_BODY', /not JSON/, '[[1, 2], {}'),
  withProperties('an unknown body encoding', 'UNDECODABLE_BODY', /body_encoding/, { body_encoding: 'rot13' }),
  withHeaders('a body that is not compressed as it says', 'UNDECODABLE_BODY', /./, {
    compression: 'application/x-gzip',
  }),
  bent('a compressed body that is cut off', 'UNDECODABLE_BODY', /./, (good) => ({
    body: base64(deflateSync(Buffer.from('[[1, 2], {}, null]')).subarray(0, 10)),
    headers: { ...good.headers, compression: 'application/x-gzip' },
  })),
  withHeaders('an unknown compression', 'UNSUPPORTED_COMPRESSION', /application\/x-rot13/, {
    compression: 'application/x-rot13',
  }),

  withJson('a body that is a number', 'INVALID_TASK_MESSAGE', /body .*number 42/, '42'),
  withJson('a body that is null', 'INVALID_TASK_MESSAGE', /body .*null/, 'null'),
  withJson('a body of one part', 'INVALID_TASK_MESSAGE', /body .*array of 1/, '[[]]'),
  withJson('a body of four parts', 'INVALID_TASK_MESSAGE', /body .*array of 4/, '[[], {}, null, 4]'),
  withJson('args that are an object', 'INVALID_TASK_MESSAGE', /args .*a list/, '[{"x": 1}, {}, null]'),
  withJson('kwargs that are null', 'INVALID_TASK_MESSAGE', /kwargs .*null/, '[[1, 2], null, null]'),
  withJson('kwargs that are a list', 'INVALID_TASK_MESSAGE', /kwargs .*an object/, '[[1, 2], [], null]'),
  withJson(
    'callbacks that are no signatures',
    'INVALID_TASK_MESSAGE',
    /callbacks/,
    '[[1, 2], {}, {"callbacks": [5]}]',
  ),
]

describe.each(['Redis', 'memory'])('a worker on %s', (kind) => {
  let redis: RedisServer | undefined
  let app: Celery
  let worker: RunningWorker
  let expectedDeadLetters = 0

  beforeAll(async () => {
    redis = kind === 'Redis' ? await startRedis() : undefined
    const url = redis?.url ?? 'memory://'
    app = new Celery('bad-input', { broker: url, backend: url })
    app.task('good', { argNames: ['x', 'y'] }, (x: number, y: number) => x + y)
    app.task('length', (text: string) => text.length)
    app.task('shown', { kwargs: true }, (...received: unknown[]) => String(received.slice(0, -1)))
    const params = z.object({ report_id: z.string(), format: z.enum(['html', 'csv']).default('html') })
    app.task('report', { params }, ({ format }) => format)
    worker = await app.startWorker()
  })
  afterAll(async () => {
    await worker.stop()
    await app.close()
    await redis?.stop()
  })

  const send = (envelope: string): Promise<void> =>
    app.broker.publish({ queue: 'celery', priority: 0, envelope })
  const deadLetters = (): Promise<DeadLetter[]> => app.broker.deadLetters.list({ limit: 1000 })

  /** The worker still works, holds nothing back and has lost nothing: all that is refused is in the dead letters. */
  const expectUnharmed = async (): Promise<void> => {
    const result = await app.sendTask('good', [20, 22])
    expect(await result.get({ timeout: WITHIN_MS })).toBe(42)
    await eventually(async () => (await app.broker.deadLetters.count()) >= expectedDeadLetters)
    expect(await app.broker.deadLetters.count()).toBe(expectedDeadLetters)
    expect(await app.broker.queueLength('celery')).toBe(0)
    await eventually(() => worker.counts().active === 0 && worker.counts().reserved === 0)
    if (redis === undefined) return
    const observer = redisClient(redis.url)
    await eventually(async () => (await observer.exists('unacked', 'unacked_index')) === 0)
  }

  it.each(CASES)('sets $name aside as $code', async ({ envelope, code, reason = /./ }) => {
    expectedDeadLetters++
    await send(envelope)
    await expectUnharmed()

    const [letter] = await deadLetters()
    expect(letter).toMatchObject({ code, queue: 'celery', envelope })
    expect(letter?.message).toMatch(reason)
    expect(letter?.diedAt.getTime()).toBeGreaterThan(Date.now() - 60_000)
  })

  if (kind === 'Redis') {
    it('sets bytes that are no text aside', async () => {
      expectedDeadLetters++
      await redisClient(redis?.url ?? '').lpush('celery', Buffer.from([0xff, 0x00, 0xfe, 0x7b]))
      await expectUnharmed()
      expect((await deadLetters())[0]).toMatchObject({ code: 'UNREADABLE' })
    })
  }

  it('row 48: never decodes pickle, and says so', async () => {
    // os.system('touch …') to whoever unpickles it.
    const pickle = "cos\nsystem\n(S'touch pwned'\ntR."
    const { envelope } = rawMessage('good', [], (good) => ({
      'content-type': 'application/x-python-serialize',
      'content-encoding': 'binary',
      body: base64(pickle),
      headers: good.headers,
    }))
    expectedDeadLetters++
    await send(envelope)
    await expectUnharmed()
    const [letter] = await deadLetters()
    expect(letter).toMatchObject({ code: 'CONTENT_DISALLOWED', envelope })
    expect(letter?.message).toMatch(/pickle/)
    expect(() => new Celery('x', { broker: 'memory://', acceptContent: ['json', 'pickle'] })).toThrow(
      /pickle/,
    )
  })

  it('fails an unknown task for its caller, and keeps its message', async () => {
    const { id, envelope } = rawMessage('nobody.knows')
    expectedDeadLetters++
    await send(envelope)
    await expect(app.asyncResult(id).get({ timeout: WITHIN_MS })).rejects.toMatchObject({
      excType: 'NotRegistered',
      excMessage: ['nobody.knows'],
    })
    await expectUnharmed()
    expect((await deadLetters())[0]).toMatchObject({ code: 'NOT_REGISTERED', envelope })
  })

  it.each<[string, string, readonly unknown[], Record<string, unknown>, string, RegExp]>([
    ['too few', 'good', [1], {}, 'TypeError', /missing 1 required positional argument: 'y'/],
    ['too many', 'good', [1, 2, 3], {}, 'TypeError', /takes 2 positional arguments but 3 were given/],
    ['an unknown keyword', 'good', [1, 2], { z: 1 }, 'TypeError', /unexpected keyword argument 'z'/],
    ['one twice', 'good', [1], { x: 1 }, 'TypeError', /multiple values for argument 'x'/],
    ['what a schema refuses', 'report', ['r-1', 'pdf'], {}, 'InvalidParamsError', /format: /],
    ['none for a schema', 'report', [], {}, 'InvalidParamsError', /report_id: /],
    ['__proto__', 'report', ['r-1'], JSON.parse('{"__proto__": 1}') as object, 'TypeError', /'__proto__'/],
  ] as never)('fails a call with wrong arguments: %s', async (_, task, args, kwargs, excType, message) => {
    const result = await app.sendTask(task, args, kwargs)
    await expect(result.get({ timeout: WITHIN_MS })).rejects.toMatchObject({
      excType,
      message: expect.stringMatching(message) as string,
    })
    await expectUnharmed()
  })

  it.each<[string, Case['envelope'], unknown]>([
    ['NaN and Infinity', withArgs('shown', '[NaN, -Infinity]'), 'NaN,-Infinity'],
    ['an integer beyond 2^53', withArgs('shown', '[12345678901234567890]'), '12345678901234567890'],
    ['an unknown __type__', withArgs('shown', '[{"__type__": "x", "__value__": 1}]'), '[object Object]'],
    ['a message of 5 MB', withArgs('length', JSON.stringify(['é'.repeat(2.5 * 2 ** 20)])), 2.5 * 2 ** 20],
    ['a body without its third part', withWholeBody('good', '[[1, 2], {}]'), 3],
    ['a third part that is null', withWholeBody('good', '[[1, 2], {}, null]'), 3],
    ['a priority that is a text', bentGood({ priority: '5' }), 3],
    ['no priority', bentGood({ priority: undefined }), 3],
    ['no delivery info', bentGood({ delivery_info: undefined }), 3],
    ['unknown properties', bentGood({ app_id: { deep: [1] } }), 3],
  ])('runs a message with %s', async (_, envelope, expected) => {
    const { id } = (JSON.parse(envelope) as { headers: { id: string } }).headers
    await send(envelope)
    expect(await app.asyncResult(id).get({ timeout: WITHIN_MS })).toBe(expected)
    await expectUnharmed()
  })

  it('survives a body nested deeper than any stack', async () => {
    const depth = 200_000
    const { id, envelope } = rawMessage('shown', [], () => ({
      body: base64(`[[${'['.repeat(depth)}${']'.repeat(depth)}], {}, null]`),
    }))
    await send(envelope)
    const letterOrResult = await eventually(async () => {
      const letter = (await deadLetters()).find((each) => each.envelope === envelope)
      return letter?.code ?? (await app.asyncResult(id).meta())?.status
    })
    if (letterOrResult === 'UNDECODABLE_BODY') expectedDeadLetters++
    else expect(letterOrResult).toMatch(/SUCCESS|FAILURE/)
    await expectUnharmed()
  })

  it('runs each of several messages that share one delivery tag', async () => {
    const messages = [1, 2, 3, 4].map((x) =>
      rawMessage('good', [x, 10], (good) => ({ properties: { ...good.properties, delivery_tag: 'celery' } })),
    )
    await Promise.all(messages.map(({ envelope }) => send(envelope)))
    const results = messages.map(({ id }) => app.asyncResult(id).get({ timeout: WITHIN_MS }))
    expect(await Promise.all(results)).toEqual([11, 12, 13, 14])
    await expectUnharmed()
  })
})

function withWholeBody(task: string, json: string): string {
  return rawMessage(task, [], () => ({ body: base64(json) })).envelope
}

function withArgs(task: string, args: string): string {
  return withWholeBody(task, `[${args}, {}, null]`)
}

function bentGood(properties: object): string {
  return rawMessage('good', [1, 2], (good) => ({ properties: { ...good.properties, ...properties } }))
    .envelope
}
