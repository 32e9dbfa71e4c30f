import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALIASES, inspectCommands } from '../../../src/worker/remote-control/inspect-commands.js'
import { controlCommands } from '../../../src/worker/remote-control/control-commands.js'
import { base64, rawMessage, type RawMessage } from '../../support/raw-message.js'
import { recordingLog } from '../../support/recording-log.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { eventually } from '../../support/eventually.js'
import { startLovage } from '../cli/lovage.js'
import { Celery, type RunningWorker } from '../../../src/index.js'

const WITHIN = 20_000
const NODE = 'w@bad-input'
const CHANNEL = '/0.celery.pidbox'

let server: RedisServer
let app: Celery
let worker: RunningWorker
const log = recordingLog()

beforeAll(async () => {
  server = await startRedis()
  app = new Celery('bad-input', { broker: server.url, backend: server.url, log })
  app.task('add', (x: number, y: number) => x + y)
  worker = await app.startWorker({ hostname: NODE, concurrency: 2 })
})
afterAll(async () => {
  await worker.stop()
  await app.close()
  await server.stop()
})

/** It has taken in all that was published before, and works. */
async function isUp(): Promise<void> {
  expect(await app.control.ping({ destination: NODE, timeout: WITHIN })).toEqual({ [NODE]: { ok: 'pong' } })
  const sum = await app.sendTask('add', [1, 2])
  expect(await sum.get({ timeout: WITHIN })).toBe(3)
}

function warnings(): string[] {
  return log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
}

/** A message of remote control as Python sends it, with a body of any kind. */
function controlMessage(body: unknown, change: RawMessage = {}): string {
  const { envelope } = rawMessage('', [], () => ({
    body: base64(typeof body === 'string' ? body : JSON.stringify(body)),
    headers: { clock: 1, expires: 0 },
    ...change,
  }))
  return envelope
}

const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`

describe('messages of remote control that cannot be used are ignored with a warning', () => {
  it.each([
    ['nothing', ''],
    ['no JSON', 'shutdown'],
    ['JSON that is cut off', controlMessage({ method: 'shutdown' }).slice(0, -9)],
    ['a number', '42'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no members', '{}'],
    ['no properties', controlMessage({ method: 'shutdown' }, { properties: undefined as never })],
    ['headers that are a list', controlMessage({ method: 'shutdown' }, { headers: [] as never })],
    ['a body that is no text', controlMessage('', { body: { method: 'shutdown' } })],
    ['a body that is no base64', controlMessage('', { body: '%%%' })],
    ['a body that is no JSON', controlMessage('{"method": shutdown}')],
    ['a body that is null', controlMessage('null')],
    ['a body that is a list', controlMessage([{ method: 'shutdown' }])],
    ['a body that is too deep', controlMessage(deep)],
    ['pickle', controlMessage('\x80', { 'content-type': 'application/x-python-serialize' })],
    ['an unknown encoding', controlMessage({ method: 'shutdown' }, { 'content-encoding': 'utf-17' })],
    ['no method', controlMessage({ arguments: {} })],
    ['a method that is a number', controlMessage({ method: 7 })],
    ['a method that is an object', controlMessage({ method: { name: 'shutdown' } })],
    ['arguments that are a list', controlMessage({ method: 'shutdown', arguments: ['now'] })],
    ['arguments that are a text', controlMessage({ method: 'shutdown', arguments: 'now' })],
    ['a destination that is an object', controlMessage({ method: 'shutdown', destination: { [NODE]: 1 } })],
    ['an unknown matcher', controlMessage({ method: 'shutdown', pattern: '*', matcher: 'soundex' })],
    ['a pattern that is none', controlMessage({ method: 'shutdown', pattern: '(', matcher: 'pcre' })],
    ['a reply_to that is a text', controlMessage({ method: 'shutdown', reply_to: 'me' })],
    ['a reply_to without a key', controlMessage({ method: 'shutdown', reply_to: { exchange: 'x' } })],
    ['something huge', `{"body": "${'x'.repeat(8_000_000)}`],
  ])('%s', async (_, text) => {
    const before = warnings().length
    await redisClient(server.url).publish(CHANNEL, text)
    await isUp()
    expect(warnings().slice(before)).toEqual(['a message of remote control cannot be used'])
  })
})

describe('commands of remote control', () => {
  const ODD: readonly unknown[] = [
    null,
    true,
    -1,
    1e300,
    '',
    'x',
    'x'.repeat(100_000),
    [],
    [[]],
    [null],
    {},
    { a: [] },
  ]
  const NAMES = [
    ...[
      'task_id',
      'ids',
      'signal',
      'terminate',
      'headers',
      'task_name',
      'rate_limit',
      'soft',
      'hard',
      'queue',
    ],
    ...['n', 'max', 'min', 'id', 'topic', 'action', 'safe', 'taskinfoitems', 'builtins', 'with_defaults'],
    ...['from_node', 'revoked', 'samples', 'type', 'num', 'max_depth', 'modules', 'reload'],
  ]
  const tell = (method: string, args: object): Promise<Readonly<Record<string, unknown>>> =>
    app.control.broadcast(method, { ...args }, { reply: true, destination: NODE, timeout: WITHIN })

  it.each([...Object.keys(inspectCommands), ...Object.keys(controlCommands), ...Object.keys(ALIASES)])(
    '%s answers whatever it is told, and the worker goes on',
    async (method) => {
      if (method === 'shutdown') return
      for (const value of ODD) {
        // A pool of 1e300 slots is refused; one of -1 as well.
        const all = Object.fromEntries(NAMES.map((name) => [name, value]))
        expect(await tell(method, all)).toHaveProperty([NODE])
      }
      expect(await tell(method, {})).toHaveProperty([NODE])
      await isUp()
    },
  )

  it.each(['no_such', 'constructor', '__proto__', 'hasOwnProperty', 'x'.repeat(100_000)])(
    'that nobody knows are an error of the node (%#)',
    async (method) => {
      await redisClient(server.url).publish(CHANNEL, controlMessage({ method }))
      const { [NODE]: reply } = await tell(method, {})
      expect((reply as { error: string }).error.slice(0, 20)).toBe(`KeyError('${method}')`.slice(0, 20))
      await isUp()
    },
  )

  it('are obeyed though nobody is there for the reply any more, which is left nowhere', async () => {
    const replyTo = { exchange: 'reply.celery.pidbox', routing_key: 'gone' }
    for (const reply_to of [replyTo, { exchange: '', routing_key: '' }, { exchange: 'x', routing_key: 'y' }])
      await redisClient(server.url).publish(
        CHANNEL,
        controlMessage({ method: 'ping', ticket: 't', reply_to }),
      )
    await isUp()
    expect((await redisClient(server.url).keys('*')).filter((key) => /gone|^x|^y|^$/.test(key))).toEqual([])
  })
})

it('a caller passes over replies that cannot be read, and takes the others', async () => {
  const redis = redisClient(server.url)
  const before = warnings().length
  const asking = app.control.inspect({ limit: 1, destination: ['slow@there'], timeout: WITHIN }).ping()
  const list = await eventually(async () => {
    const [member] = await redis.smembers('_kombu.binding.reply.celery.pidbox')
    return member?.split('\x06\x16').at(-1)
  })
  const replies = [
    '',
    '{}',
    '[]',
    controlMessage('[]'),
    controlMessage('no JSON'),
    controlMessage({ 'slow@there': 1 }),
  ]
  await redis.lpush(list ?? '', ...replies)
  expect(await asking).toEqual({ 'slow@there': 1 })
  expect(warnings().slice(before)).toEqual(
    Array.from({ length: 5 }, () => 'a reply of remote control cannot be read'),
  )
})

it('lovage events goes on after events that are malformed, and shows those that it does not know', async () => {
  const redis = redisClient(server.url)
  const lines: string[] = []
  const events = await startLovage(['-b', server.url, 'events', '--json', '-l', 'WARNING'], {
    onStdoutLine: (line) => lines.push(line),
  })
  await eventually(async () => Number(await redis.pubsub('NUMPAT')) >= 2)
  const event = (fields: object): object => ({
    type: 'worker-odd',
    hostname: 'h',
    clock: 1,
    timestamp: 1,
    ...fields,
  })
  const odd: unknown[] = [
    null,
    7,
    [],
    {},
    { type: 'worker-x' },
    event({ hostname: [] }),
    event({ type: 'task-x' }),
  ]
  await redisClient(server.url).publish('/0.celeryev/worker.x', 'nonsense')
  for (const body of odd) await redisClient(server.url).publish('/0.celeryev/worker.x', controlMessage(body))
  const future = event({
    type: 'worker-of-version-9',
    clock: 'x',
    timestamp: [],
    freq: {},
    new: { deep: [1] },
  })
  await redisClient(server.url).publish('/0.celeryev/worker.x', controlMessage(future))
  await events.waitForLine(/worker-of-version-9.*"deep"/)
  await events.waitForLine(/a malformed event is ignored/)
  expect(await events.stop()).toMatchObject({ code: 0 })
})
