import { describe, expect, it, vi } from 'vitest'
import { scenario } from '../../unit/serialization/vectors.js'
import { decodePayload } from '../../../src/serialization/decode-body.js'
import { eventually } from '../../support/eventually.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { rawMessage } from '../../support/raw-message.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { AppOptions, Celery } from '../../../src/index.js'
import type { Redis } from 'ioredis'

type Event = Readonly<Record<string, unknown>> & { readonly type: string }

interface Tap {
  readonly events: Event[]
  readonly channels: string[]
  of(type: string): Event[]
  /** Types of the events of a task. */
  typesOf(id: string): string[]
}

/** All that is published of events, as any client of Redis sees it. */
async function tap(url: string): Promise<Tap> {
  const redis: Redis = redisClient(url)
  const events: Event[] = []
  const channels: string[] = []
  redis.on('pmessage', (_pattern: string, channel: string, text: string) => {
    const body = JSON.parse(Buffer.from(decodePayload(parseEnvelope(text))).toString()) as Event | Event[]
    channels.push(channel)
    events.push(...[body].flat())
  })
  await redis.psubscribe('/0.celeryev*')
  return {
    events,
    channels,
    of: (type) => events.filter((event) => event.type === type),
    typesOf: (id) => events.flatMap(({ type, uuid }) => (uuid === id ? [type] : [])),
  }
}

const WITHIN = { timeout: 10_000, interval: 20 }
const LIVED = ['task-received', 'task-started', 'task-succeeded']

function withTasks(app: Celery): Celery {
  app.task('add', (x: number, y: number) => x + y)
  app.task('fail', () => {
    throw new RangeError("it's bad")
  })
  app.task('again', { bind: true }, (task) => {
    if (task.request.retries === 0) throw task.retry({ countdown: 0.05, cause: new TypeError('not yet') })
    return 'done'
  })
  app.task('reject', { bind: true }, (task) => {
    throw task.reject('no')
  })
  app.task('requeue', { bind: true }, (task) => {
    if (!task.request.isRedelivered) throw task.reject('later', { requeue: true })
  })
  app.task('ignore', { bind: true }, (task) => {
    throw task.ignore()
  })
  app.task('quiet', { sendEvents: false }, () => 'psst')
  app.task('progress', { bind: true }, (task) => task.sendEvent('task-progress', { done: 0.5 }))
  return app
}

async function site(settings: AppOptions = {}): Promise<{ app: Celery; tapped: Tap; url: string }> {
  const { url } = await startRedis()
  return { url, tapped: await tap(url), app: withTasks(testApp(url, settings)) }
}

describe('events of a worker', () => {
  it('Must 14.1-3: have the channels, headers, fields and order of Celery’s', async () => {
    const { app, tapped } = await site({ taskSendSentEvent: true, workerSendTaskEvents: true })
    const worker = await app.startWorker({ hostname: 'w@h', heartbeatInterval: 0.1 })
    const added = await app.sendTask('add', [2, 3])
    const failed = await app.sendTask('fail')
    const again = await app.sendTask('again')
    const late = await app.sendTask('add', [1, 1], {}, { expires: new Date(Date.now() - 1000) })
    const rejected = await app.sendTask('reject')
    const requeued = await app.sendTask('requeue')
    const ignored = await app.sendTask('ignore')
    const unknown = await app.sendTask('unknown')
    const parked = await app.sendTask('add', [7, 7], {}, { countdown: 0.3 })
    await vi.waitFor(() => expect(tapped.typesOf(parked.id)).toContain('task-succeeded'), WITHIN)
    await vi.waitFor(() => expect(tapped.typesOf(again.id)).toContain('task-succeeded'), WITHIN)
    await vi.waitFor(() => expect(tapped.typesOf(unknown.id)).toContain('task-failed'), WITHIN)
    await vi.waitFor(() => expect(tapped.of('worker-heartbeat').length).toBeGreaterThan(1), WITHIN)
    await worker.stop()
    await vi.waitFor(() => expect(tapped.of('worker-offline')).toHaveLength(1), WITHIN)

    const own = (id: string): string[] => tapped.typesOf(id).filter((type) => type !== 'task-sent')
    expect(own(added.id)).toEqual(LIVED)
    expect(own(failed.id)).toEqual(['task-received', 'task-started', 'task-failed'])
    expect(own(again.id)).toEqual(['task-received', 'task-started', 'task-retried', ...LIVED])
    expect(own(late.id)).toEqual(['task-revoked'])
    expect(own(rejected.id)).toEqual(['task-received', 'task-started', 'task-rejected'])
    expect(own(requeued.id)).toEqual(['task-received', 'task-started', 'task-rejected', ...LIVED])
    expect(own(ignored.id)).toEqual(['task-received', 'task-started'])
    expect(own(unknown.id)).toEqual(['task-failed'])
    expect(own(parked.id)).toEqual(LIVED)

    const [online] = tapped.of('worker-online')
    expect(tapped.events.find(({ type }) => type.startsWith('worker-'))).toBe(online)
    expect(tapped.events.at(-1)?.type).toBe('worker-offline')
    expect(online).toMatchObject({ hostname: 'w@h', freq: 0.1, active: 0, processed: 0, pid: process.pid })
    expect(tapped.of('worker-offline')[0]).toMatchObject({ sw_ident: 'lovage', processed: 9 })
    const exceptionOf = (id: string): unknown =>
      tapped.events.find(({ uuid, exception }) => uuid === id && exception !== undefined)?.['exception']
    expect(exceptionOf(failed.id)).toBe('RangeError("it\'s bad")')
    expect(exceptionOf(again.id)).toBe("TypeError('not yet')")
    expect(exceptionOf(unknown.id)).toBe("NotRegistered('unknown')")
    expect(tapped.of('task-revoked')[0]).toMatchObject({ terminated: false, signum: null, expired: true })
    expect(tapped.of('task-rejected').map(({ requeue }) => requeue)).toEqual([false, true])
    const channels = ['task.multi', 'task.sent', 'worker.heartbeat', 'worker.offline', 'worker.online']
    expect([...new Set(tapped.channels)].toSorted()).toEqual(channels.map((name) => `/0.celeryev/${name}`))
    const clocks = tapped.events.map(({ clock }) => clock as number)
    expect(new Set(clocks).size).toBe(clocks.length)

    // Field by field as Celery 5.6 was recorded.
    const recorded = scenario('celery-5.6.3', 'worker_events')
      .filter(({ kind }) => kind === 'pubsub')
      .flatMap(({ parsed }) => [parsed?.['body']].flatMap((body) => (body as { json: Event }).json))
    for (const type of new Set(recorded.map((event) => event.type))) {
      const shapes = (events: readonly Event[]): string[] =>
        events.flatMap((event) => (event.type === type ? [Object.keys(event).join()] : [])).toSorted()
      expect([...new Set(shapes(tapped.events))], type).toEqual([...new Set(shapes(recorded))])
    }
  })

  it('of tasks begin and end when they are asked for while it runs, and not otherwise', async () => {
    const { app, tapped } = await site()
    const add = (): Promise<unknown> =>
      app.sendTask('add', [1, 1]).then((result) => result.get({ timeout: 10_000 }))
    await using worker = await app.startWorker({ hostname: 'w@h', heartbeatInterval: 0.05 })
    await add()
    expect(worker.disableEvents()).toBe(false)
    expect(worker.enableEvents()).toBe(true)
    expect(worker.enableEvents()).toBe(false)
    await add()
    await vi.waitFor(() => expect(tapped.of('task-succeeded')).toHaveLength(1), WITHIN)
    // However short it was: Flower leaves out a runtime of 0.
    expect(tapped.of('task-succeeded')[0]?.['runtime']).toBeGreaterThan(0)
    expect(worker.disableEvents()).toBe(true)
    await add()
    const beats = tapped.of('worker-heartbeat').length
    await vi.waitFor(() => expect(tapped.of('worker-heartbeat').length).toBeGreaterThan(beats + 1), WITHIN)
    expect(tapped.events.map(({ type }) => type).filter((type) => type.startsWith('task-'))).toEqual(LIVED)
  })

  it('of tasks stay on where that was asked for at its start', async () => {
    const { app } = await site()
    await using worker = await app.startWorker({ taskEvents: true })
    expect([worker.enableEvents(), worker.disableEvents()]).toEqual([false, false])
  })

  it('are none of a task that wants none, and those of its own always', async () => {
    const { app, tapped } = await site()
    await using worker = await app.startWorker({ taskEvents: true, heartbeatInterval: 0 })
    const quiet = await app.sendTask('quiet')
    expect(await quiet.get({ timeout: 10_000 })).toBe('psst')
    worker.disableEvents()
    const progress = await app.sendTask('progress')
    await vi.waitFor(() => expect(tapped.typesOf(progress.id)).toContain('task-succeeded'), WITHIN)
    expect(tapped.typesOf(progress.id)).toEqual([
      'task-received',
      'task-started',
      'task-progress',
      'task-succeeded',
    ])
    expect(tapped.of('task-progress')[0]).toMatchObject({ uuid: progress.id, done: 0.5 })
    expect(tapped.channels).toContain('/0.celeryev/task.progress')
    expect(tapped.typesOf(quiet.id)).toEqual([])
    expect(tapped.events.some(({ type }) => type.startsWith('worker-'))).toBe(false)
  })

  it('tell of a success when its result is there', async () => {
    const { app, url } = await site()
    const redis = redisClient(url)
    const found: (string | null)[] = []
    const looks: Promise<unknown>[] = []
    const receiver = app.events.receiver({
      'task-succeeded': ({ uuid }) =>
        void looks.push(redis.get(`celery-task-meta-${uuid}`).then((text) => found.push(text))),
    })
    await receiver.start()
    await using worker = await app.startWorker({ taskEvents: true })
    await Promise.all(Array.from({ length: 50 }, (_, i) => app.sendTask('add', [i, 1])))
    await vi.waitFor(() => expect(found).toHaveLength(50), WITHIN)
    expect(found.every((text) => text?.includes('SUCCESS'))).toBe(true)
    expect(worker.counts().succeeded).toBe(50)
    await receiver.stop()
  })

  it('come after an outage of the broker as well, so that no task seems to run for ever', async () => {
    const { app, url } = await site()
    const server = redisClient(url)
    const state = app.events.state()
    await using receiver = app.events.receiver({ '*': state.event })
    await receiver.start()
    let finish: (() => void) | undefined
    app.task('long', () => new Promise<string>((resolve) => (finish = () => resolve('done'))))
    await using worker = await app.startWorker({ taskEvents: true, hostname: 'w@h' })
    const long = await app.sendTask('long')
    await vi.waitFor(() => expect(state.tasks.get(long.id)?.state).toBe('STARTED'), WITHIN)
    await server.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    finish?.()
    await vi.waitFor(() => expect(state.tasks.get(long.id)?.state).toBe('SUCCESS'), WITHIN)
    expect(state.aliveWorkers().map(({ hostname }) => hostname)).toEqual([worker.hostname])
  })

  it('survive names and values that are made to break JSON', async () => {
    const { app, tapped } = await site()
    const nasty = '"}],\\"\n\u2028\ud800 \'"""'
    app.task(nasty, (value: string) => value)
    await using worker = await app.startWorker({ taskEvents: true, hostname: 'w"\\@h' })
    const { envelope } = rawMessage(nasty, [nasty], ({ headers }) => ({ headers: { ...headers, id: nasty } }))
    await app.broker.publish({ queue: 'celery', priority: 0, envelope })
    await eventually(() => tapped.of('task-succeeded').length === 1)
    expect(tapped.of('task-received')[0]).toMatchObject({ name: nasty, uuid: nasty })
    expect(tapped.of('task-succeeded')[0]).toMatchObject({ hostname: worker.hostname })
  })
})
