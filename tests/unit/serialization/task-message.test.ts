import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../../src/errors.js'
import { EncodeError, InvalidTaskMessageError, NotATaskError } from '../../../src/serialization/errors.js'
import { decodeBody } from '../../../src/serialization/decode-body.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { resolveAcceptContent } from '../../../src/serialization/serializers.js'
import type { Signature } from '../../../src/serialization/signature.js'
import { encodeTaskMessage, type OutgoingTask } from '../../../src/serialization/outgoing-task.js'
import { decodeTaskMessage, type TaskMessage } from '../../../src/serialization/task-message.js'
import { pushedMessages, scenario } from './vectors.js'

const acceptContent = resolveAcceptContent(['json', 'yaml', 'msgpack'])
const EMBED = { callbacks: null, errbacks: null, chain: null, chord: null }

function decode(text: string): TaskMessage {
  return decodeTaskMessage(parseEnvelope(text), { acceptContent })
}

/** A message as some client might write it. */
function message(headers: unknown, body: unknown, properties: Record<string, unknown> = {}): string {
  return JSON.stringify({
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers,
    properties: {
      delivery_tag: 't',
      delivery_info: { exchange: '', routing_key: 'q' },
      body_encoding: 'base64',
      ...properties,
    },
  })
}

interface Wire {
  body: string
  headers: Record<string, unknown>
  properties: Record<string, unknown>
}

/** A message with its body decoded and without what differs from one sending to the next. */
function comparable(text: string): unknown {
  const { body, headers, properties, ...others } = JSON.parse(text) as Wire
  return {
    ...others,
    body: JSON.parse(Buffer.from(body, 'base64').toString('utf8')) as unknown,
    headers: Object.entries({ ...headers, lang: '*', origin: typeof headers['origin'] }),
    properties: {
      ...properties,
      reply_to: typeof properties['reply_to'],
      delivery_tag: typeof properties['delivery_tag'],
    },
  }
}

function id(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}

function add(number: number, more: Partial<OutgoingTask> = {}): OutgoingTask {
  return { id: id(number), task: 'v.add', args: [1, 2], queue: 'celery', ...more }
}

/** The calls of the recordings, as we make them. */
const CALLS: Readonly<Record<string, Readonly<Record<string, OutgoingTask>>>> = {
  publish_plain: {
    'add.apply_async((2, 3), task_id=...)': add(1, { args: [2, 3] }),
    "echo.apply_async(('a', None, True, 1.5), {'k': [1, {'n': 'text'}]})": {
      id: id(2),
      task: 'v.echo',
      args: ['a', null, true, 1.5],
      kwargs: { k: [1, { n: 'text' }] },
      queue: 'celery',
    },
    'echo.apply_async() without arguments': { id: id(4), task: 'v.echo', queue: 'celery' },
  },
  publish_send_task: {
    "app.send_task('other.task', (1,), {'a': 2})": {
      id: id(10),
      task: 'other.task',
      args: [1],
      kwargs: { a: 2 },
      queue: 'celery',
    },
  },
  publish_options: {
    'noresult.apply_async() (ignore_result on the task)': {
      id: id(60),
      task: 'v.noresult',
      ignoreResult: true,
      queue: 'celery',
    },
    'ignore_result=True per call': add(61, { ignoreResult: true }),
    'time_limit=30, soft_time_limit=20': add(62, { timeLimits: [30, 20] }),
    "shadow='shown.name'": add(63, { shadow: 'shown.name' }),
    "headers={'x-tenant': 't1', 'n': 5}": add(64, { headers: { 'x-tenant': 't1', n: 5 } }),
    "reply_to='somewhere'": add(65, { replyTo: 'somewhere' }),
    'retries=2': add(66, { retries: 2 }),
    'delivery_mode=1 (transient)': add(67, { deliveryMode: 1 }),
    'correlation_id and app_id properties': add(68, { properties: { app_id: 'me', type: 'x' } }),
  },
  publish_eta: {
    'countdown=0': add(22),
  },
}

describe('encodeTaskMessage', () => {
  for (const [name, calls] of Object.entries(CALLS)) {
    it.each(Object.keys(calls))(`Must 3.1: ${name}, %s: is what Celery 5.6 pushed`, (call) => {
      const recorded = pushedMessages('celery-5.6.3', name).find((pushed) => pushed.call === call)
      const task = calls[call]
      if (recorded === undefined || task === undefined) throw new Error('the recording lacks this call')
      expect(comparable(encodeTaskMessage(task))).toEqual(comparable(recorded.text))
    })
  }

  it('Must 3.1: publish_options, ids given by hand: is what Celery 5.6 pushed', () => {
    const recorded = pushedMessages('celery-5.6.3', 'publish_options').find(({ call }) =>
      call.startsWith('root_id'),
    )
    const rootId = String((JSON.parse(recorded?.text ?? '') as Wire).headers['root_id'])
    const task = add(69, { rootId, parentId: 'parent', group: 'grp', groupIndex: 4 })
    expect(comparable(encodeTaskMessage(task))).toEqual(comparable(recorded?.text ?? ''))
  })

  it('Section 13.3: publish_eta and publish_expires name the same instants, and the time left', () => {
    for (const name of ['publish_eta', 'publish_expires']) {
      for (const { text } of pushedMessages('celery-5.6.3', name)) {
        const { headers, properties } = JSON.parse(text) as Wire
        const [eta, expires] = [instant(headers['eta']), instant(headers['expires'])]
        const expiration = properties['expiration'] as string | undefined
        const now =
          expires && expiration !== '0' ? new Date(expires.getTime() - Number(expiration)) : undefined
        const ours = JSON.parse(encodeTaskMessage(add(1, { eta, expires, now }))) as Wire
        for (const field of ['eta', 'expires']) {
          expect(instant(ours.headers[field])).toEqual(instant(headers[field]))
          expect(ours.headers[field] ?? '').toMatch(/^$|^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
        }
        expect(ours.properties['expiration']).toBe(expiration)
      }
    }
  })

  it('Section 3.3: carries callbacks, errbacks, chain and chord as publish_links and publish_chain do', () => {
    let compared = 0
    for (const name of ['publish_links', 'publish_chain', 'publish_chord', 'publish_group']) {
      for (const { text } of pushedMessages('celery-5.6.3', name)) {
        const { body, headers } = JSON.parse(text) as Wire
        const parts = JSON.parse(Buffer.from(body, 'base64').toString()) as [
          unknown[],
          object,
          Record<string, unknown>,
        ]
        const [args, kwargs, embed] = parts
        const written = encodeTaskMessage({
          id: String(headers['id']),
          task: String(headers['task']),
          queue: 'celery',
          args,
          kwargs: kwargs as Record<string, unknown>,
          callbacks: (embed['callbacks'] as Signature[] | null) ?? undefined,
          errbacks: (embed['errbacks'] as Signature[] | null) ?? undefined,
          chain: (embed['chain'] as Signature[] | null) ?? undefined,
          chord: (embed['chord'] as Signature | null) ?? undefined,
        })
        const ours = decodeBody(parseEnvelope(written), acceptContent) as typeof parts
        // An empty list and null mean the same.
        expect(ours).toEqual([args, kwargs, emptyToNull(embed)])
        compared++
      }
    }
    expect(compared).toBeGreaterThan(20)
  })

  it('Must 3.5: a workflow starts with the task as its own root', () => {
    expect(decode(encodeTaskMessage(add(1))).rootId).toBe(id(1))
    expect(decode(encodeTaskMessage(add(1, { rootId: 'r' }))).rootId).toBe('r')
  })

  it.each(['json', 'yaml', 'msgpack'])('is read back in full, in %s, compressed or not', (serializer) => {
    const signature: Signature = {
      task: 'v.mul',
      args: [3],
      kwargs: {},
      options: { queue: 'q' },
      subtask_type: null,
      immutable: true,
    }
    const asSent = {
      args: ['é😀', [1.5, null]],
      kwargs: { k: true },
      eta: new Date('2030-01-02T03:04:05.678Z'),
      expires: new Date('2031-01-02T03:04:05Z'),
      exchange: 'ex',
      priority: 6,
      retries: 3,
      parentId: 'p',
      group: 'g',
      groupIndex: 2,
      shadow: 's',
      replacedTaskNesting: 1,
      callbacks: [signature],
      errbacks: [signature, signature],
      chain: [signature],
      chord: signature,
      headers: { 'x-tenant': 't1' },
      stamps: { stamp: 'v' },
      stampedHeaders: ['stamp'],
      replyTo: 'reply',
      origin: 'gen1@host',
    }
    const task: OutgoingTask = add(5, { ...asSent, serializer, timeLimits: [30, null] })
    for (const compression of [undefined, 'zlib', 'brotli']) {
      expect(decode(encodeTaskMessage({ ...task, compression }))).toEqual({
        ...asSent,
        id: id(5),
        task: 'v.add',
        rootId: id(5),
        hardTimeLimit: 30,
        softTimeLimit: undefined,
        ignoreResult: false,
        argsrepr: "('é😀', [1.5, None])",
        kwargsrepr: "{'k': True}",
        correlationId: id(5),
        deliveryTag: expect.any(String) as string,
        routingKey: 'celery',
        isRedelivered: false,
        serializer,
      })
    }
  })

  it('has headers of the caller behind those of the protocol, or in their place', () => {
    const headersOf = (headers: Record<string, unknown>): [string, unknown][] =>
      Object.entries((JSON.parse(encodeTaskMessage(add(1, { headers }))) as Wire).headers)
    const own = headersOf({})
    expect(headersOf({ 'x-a': 'ü', 'x-b': { c: [1, null] }, 'x-c': undefined })).toEqual([
      ...own,
      ['x-a', 'ü'],
      ['x-b', { c: [1, null] }],
    ])
    const replaced = own.map(([name, value]) => [name, name === 'argsrepr' ? '(…)' : value])
    expect(headersOf({ 'x-a': 1, argsrepr: '(…)' })).toEqual([...replaced, ['x-a', 1]])
    expect(() => headersOf({ 'x-a': NaN })).toThrow('headers["x-a"] is NaN')
  })

  it('names the argument that cannot be written', () => {
    expect(() => encodeTaskMessage(add(1, { args: [{ price: NaN }] }))).toThrow('args[0].price is NaN')
    expect(() => encodeTaskMessage(add(1, { kwargs: { f: () => 1 } }))).toThrow('kwargs.f is a function')
    expect(() => encodeTaskMessage(add(1, { args: [new Uint8Array(1)], form: 'plain' }))).toThrow(EncodeError)
    expect(() => encodeTaskMessage(add(1, { serializer: 'pickle' }))).toThrow(InvalidArgumentError)
  })
})

describe('decodeTaskMessage', () => {
  it('Must 3.2: needs task and id only', () => {
    for (const headers of [
      { task: 't', id: 'i' },
      { task: 't', id: 'i', retries: null, root_id: null, timelimit: null },
    ]) {
      expect(decode(message(headers, [[1], {}, EMBED]))).toMatchObject({
        id: 'i',
        task: 't',
        retries: 0,
        rootId: 'i',
        parentId: undefined,
        correlationId: 'i',
        replyTo: '',
        priority: 0,
        hardTimeLimit: undefined,
        stamps: {},
        stampedHeaders: [],
        headers: {},
      })
    }
  })

  it('Must 3.3: accepts a missing or null third element and missing keys in it', () => {
    for (const body of [
      [[1], {}],
      [[1], {}, null],
      [[1], {}, {}],
      [[1], {}, { chain: [] }],
    ]) {
      expect(decode(message({ task: 't', id: 'i' }, body))).toMatchObject({
        args: [1],
        callbacks: [],
        errbacks: [],
        chain: [],
        chord: undefined,
      })
    }
  })

  it('Must 3.4: accepts protocol 1 as Celery writes it', () => {
    for (const folder of ['celery-5.2.6', 'celery-5.6.3']) {
      const [plain, full, chained] = pushedMessages(folder, 'publish_protocol1').map(({ text }) =>
        decode(text),
      )
      expect(plain).toMatchObject({
        id: id(110),
        task: 'v.add',
        args: [2, 3],
        kwargs: {},
        rootId: id(110),
        eta: undefined,
      })
      expect(full).toMatchObject({
        id: id(111),
        hardTimeLimit: 9,
        softTimeLimit: 8,
        callbacks: [{ task: 'v.add', args: [1] }],
        expires: expect.any(Date) as Date,
      })
      expect((full?.expires?.getTime() ?? 0) - (full?.eta?.getTime() ?? 0)).toBe(50_000)
      expect(chained).toMatchObject({ chain: [], callbacks: [{ task: 'v.add', args: [3] }] })
    }
  })

  it('Must 3.4: in protocol 1 args and kwargs may be missing, and taskset wins over group', () => {
    const decoded = decode(message({}, { task: 't', id: 'i', group: 'g', taskset: 'ts' }))
    expect(decoded).toMatchObject({ args: [], kwargs: {}, group: 'ts' })
  })

  it('Must 3.4: in the hybrid form the headers win over the body, and there is no chain', () => {
    const body = {
      task: 'b',
      id: 'i',
      args: [1],
      kwargs: { k: 2 },
      retries: 4,
      chain: [{ task: 'x' }],
      chord: { task: 'c' },
    }
    expect(decode(message({ task: 'h', id: 'i', shadow: 's' }, body))).toMatchObject({
      task: 'h',
      args: [1],
      kwargs: { k: 2 },
      retries: 4,
      shadow: 's',
      chain: [],
      chord: { task: 'c' },
    })
  })

  it('Must 3.6: a message without a task anywhere is no task', () => {
    for (const [headers, body] of [
      [null, [[], {}, EMBED]],
      [{}, { args: [] }],
      [{ id: 'i' }, 'text'],
    ] as const) {
      expect(() => decode(message(headers, body))).toThrow(NotATaskError)
    }
  })

  it('refuses fields it cannot use, naming them, their value and the task', () => {
    const body = [[], {}, EMBED]
    const headers = { task: 't', id: 'i' }
    for (const [text, expected] of [
      [
        message({ ...headers, eta: '' }, body),
        'eta of task i must be an ISO 8601 time or null, got string ""',
      ],
      [message({ ...headers, eta: 1577836800 }, body), 'eta of task i'],
      [message({ ...headers, expires: 'soon' }, body), 'expires of task i'],
      [message({ ...headers, retries: 'two' }, body), 'retries of task i must be an integer'],
      [message({ ...headers, timelimit: [5] }, body), 'timelimit of task i'],
      [message({ ...headers, timelimit: ['5', null] }, body), 'timelimit of task i'],
      [message({ ...headers, task: '' }, body), 'task of task i'],
      [message({ ...headers, group: 5 }, body), 'group of task i'],
      [message(headers, [{ x: 1 }, {}, EMBED]), 'args of task i must be a list, got object'],
      [message(headers, [[], null, EMBED]), 'kwargs of task i must be an object, got null'],
      [message(headers, [[], [], EMBED]), 'kwargs of task i must be an object, got array of 0'],
      [message(headers, [[]]), 'body of task i'],
      [message(headers, [[], {}, EMBED, {}]), 'body of task i'],
      [message(headers, 'text'), 'body of task i'],
      [message(headers, [[], {}, { callbacks: [{}] }]), 'callbacks of task i'],
      [message(headers, [[], {}, { chord: 'x' }]), 'chord of task i'],
    ] as const) {
      expect(() => decode(text), text).toThrow(InvalidTaskMessageError)
      expect(() => decode(text)).toThrow(expected)
      expect(() => decode(text)).toThrow(expect.objectContaining({ taskId: 'i' }))
    }
    for (const idOf of [undefined, null, '', 5]) {
      expect(() => decode(message({ task: 't', id: idOf }, body))).toThrow('id of the task message')
    }
  })

  it.each(['celery-5.2.6', 'celery-5.6.3'])(
    'runs what a Python worker of %s runs, and throws nothing untyped',
    (folder) => {
      let ran = 0
      for (const { text = '', raw = '', result } of scenario(folder, 'worker_accepts')) {
        if (raw === '') continue
        const { args, error } = attempt(raw)
        if (error !== undefined)
          expect(error, text).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/) as string })
        // Python iterates the keys of such an object, which nobody can mean.
        if ((result as { status?: string } | null)?.status !== 'SUCCESS' || text === 'args as an object')
          continue
        expect(error, text).toBeUndefined()
        expect(args, text).toBeDefined()
        ran++
      }
      expect(ran).toBeGreaterThan(10)
    },
  )
})

function attempt(raw: string): { args?: readonly unknown[]; error?: unknown } {
  try {
    return { args: decode(raw).args }
  } catch (error) {
    return { error }
  }
}

function instant(text: unknown): Date | undefined {
  if (typeof text !== 'string') return undefined
  return new Date(/[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`)
}

function emptyToNull(embed: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(embed).map(([key, value]) => [
      key,
      Array.isArray(value) && value.length === 0 ? null : value,
    ]),
  )
}
