import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  Celery,
  chain,
  chord,
  group,
  type AnySignature,
  type AsyncResult,
  type RunningWorker,
  type Signature,
  type StampingVisitor,
} from '../../../src/index.js'
import { celeryGenerations } from '../../support/celery-generations.js'
import { startPythonClient, type PythonClient } from '../../support/python-client.js'
import { startPythonWorker, type PythonWorker } from '../../support/python-worker.js'
import { startRedis, type RedisServer } from '../../support/redis-server.js'

const WAIT = { timeout: 20_000 }
const shared = new Celery('stamps')
const task = (name: string): ReturnType<Celery['remoteTask']> => shared.remoteTask(`pytasks.${name}`)
const [add, echo, xsum, noteError] = [task('add'), task('echo'), task('xsum'), task('note_error')]
const linked = (signature: Signature<unknown>): Signature<unknown> =>
  signature.link(echo.s()).linkError(noteError.s('errors'))
const sizeOf = ({ kwargs }: Signature<unknown>, name: 'tasks' | 'header'): number =>
  (kwargs[name] as readonly unknown[]).length

/** Those of tests/interop/python/stamping.py. */
const telling: StampingVisitor = {
  onSignature: (part, stamps) => ({
    on_task: part.task,
    seen: Object.keys(stamps)
      .filter((name) => name !== 'seen')
      .sort(),
  }),
  onGroupStart: (part) => ({ in_group: sizeOf(part, 'tasks') }),
  onChainStart: (part) => ({ in_chain: sizeOf(part, 'tasks') }),
  onChordHeaderStart: (part) => ({ in_header: sizeOf(part, 'header'), in_group: sizeOf(part, 'header') }),
  onChordBody: (part) => ({ for_body: (part.kwargs['body'] as { task: string }).task }),
  onCallback: (part) => ({ as_callback: part.task }),
  onErrback: (part) => ({ as_errback: part.task }),
}
const plain: StampingVisitor = {
  onSignature: () => ({ queue: 'stamped', tenant: 't1', stampedHeaders: ['tenant'] }),
}

const CANVASES: Readonly<Record<string, AnySignature>> = {
  'a task': add.s(1, 2),
  'a task with links': linked(add.s(1, 2)),
  'a task whose link is a chain': add.s(1, 2).linkError(chain(add.s(1), add.s(2))),
  'a chain': chain(add.s(1, 2), linked(add.s(3)), add.s(4)),
  'a group': group(add.s(1, 2), chain(add.s(3, 4), add.s(5))),
  'a chord': chord([add.s(1, 2), linked(add.s(3, 4))], linked(xsum.s())),
  'a nested one': chain(add.s(1, 2), chord([group(add.s(3), add.s(4)), add.s(5)], xsum.s()), echo.s()),
  'a map': add.starmap([[1, 2]]),
}

const STAMPINGS: Readonly<Record<string, (canvas: Signature) => Signature>> = {
  stamps: (canvas) => canvas.stamp({ tenant: 't1', batch: ['b1'], flag: true }),
  'stamps, twice': (canvas) => canvas.stamp({ tenant: 't1' }).stamp({ tenant: 't2', other: 1 }),
  'stamps that are appended': (canvas) =>
    canvas.stamp({ tenant: 't1' }).stamp({ appendStamps: true, tenant: 't2', other: 1 }),
  'a visitor': (canvas) => canvas.stamp({ visitor: telling }),
  'a visitor and stamps': (canvas) => canvas.stamp({ visitor: telling, on_task: 'outer', tenant: 't1' }),
  'options of a visitor': (canvas) => canvas.stamp({ visitor: plain }),
}

const LISTS: typeof STAMPINGS = {
  'lists, twice': (one) => one.stamp({ batch: ['b1'], a: 1, b: [2] }).stamp({ batch: ['b2'], a: [3], b: 4 }),
  'lists that are appended': (one) =>
    one
      .stamp({ batch: ['b1'], a: 1, b: [2], c: null })
      .stamp({ appendStamps: true, batch: ['b2'], a: [3], b: 4, c: [5] }),
  objects: (one) => one.stamp({ of: { a: 1, b: 2 } }).stamp({ of: { b: 3, c: 4 } }),
}

/** Celery's order of names, which it takes from sets, changes from run to run; a visitor makes a list of a header a group. */
function comparable(canvas: unknown): unknown {
  const text = JSON.stringify(canvas, (name, value: unknown) => {
    if (name === 'stamped_headers') return [...(value as string[])].sort()
    return name === 'header' && !Array.isArray(value)
      ? (value as { kwargs: { tasks: unknown } }).kwargs.tasks
      : value
  })
  return JSON.parse(text) as unknown
}

// Celery 5.2 has no stamps.
describe.each(celeryGenerations.slice(0, 1))('stamps, as with $name', ({ python }) => {
  let redis: RedisServer
  let app: Celery
  let pythonWorker: PythonWorker
  let worker: RunningWorker
  let client: PythonClient
  let stamped: Readonly<Record<string, unknown>>

  beforeAll(async () => {
    redis = await startRedis()
    const { url: broker } = redis
    app = new Celery('interop', { broker, backend: broker, resultExtended: true })
    const settings = { broker, python, conf: { result_extended: true } }
    client = startPythonClient(settings)
    pythonWorker = await startPythonWorker(settings)
    app.task('lovage.stamps', { bind: true, kwargs: true }, ({ request }) => request.stamps)
    app.task('lovage.again', { bind: true }, (own) => {
      if (own.request.retries === 0) throw own.retry({ countdown: 0 })
      return own.request.stamps
    })
    app.task('pytasks.retry_at', { bind: true }, ({ request }) => [request.retries, request.stamps])
    app.task('lovage.fail', () => {
      throw new RangeError('no')
    })
    app.task('lovage.replaced', { bind: true }, (own) => {
      throw own.replace(app.signature('lovage.stamps', { options: { queue: 'lovage' } }).stamp({ own: 1 }))
    })
    worker = await app.startWorker({ queues: ['lovage'] })
    const code = 'import stamping\nresult = stamping.stamped()'
    stamped = (await client.evaluate(code)) as typeof stamped
  })
  afterAll(async () => {
    await Promise.all([worker.stop(), pythonWorker.kill(), client.stop()])
    await app.close()
    await redis.stop()
  })

  const cases = Object.entries(CANVASES).flatMap(([canvas, signature]) =>
    Object.entries(STAMPINGS).map(([stamping, stamp]) => ({ canvas, stamping, signature, stamp })),
  )
  it.each(cases)('$canvas: $stamping', ({ canvas, stamping, signature, stamp }) => {
    expect(comparable(stamp(signature))).toEqual(comparable(stamped[`${canvas}: ${stamping}`]))
  })
  /** A task of Lovage's, in its queue. */
  const ours = (name: string): Signature<unknown> =>
    app.signature(`lovage.${name}`, { options: { queue: 'lovage' }, immutable: true })
  const request = (): Signature<unknown> => app.signature('pytasks.request', { immutable: true })
  const run = async (canvas: Signature<unknown>): Promise<unknown> =>
    ((await canvas.applyAsync()) as AsyncResult).get(WAIT)

  it('are seen by tasks of both, on each step that either sends', async () => {
    const canvas = chain(ours('stamps'), request(), ours('stamps'), request()).stamp({ tenant: 't1' })
    const last = (await canvas.applyAsync()) as AsyncResult
    expect(await last.get(WAIT)).toMatchObject({ stamped_headers: ['tenant'], stamps: { tenant: 't1' } })
    const third = last.parent as AsyncResult
    const first = third.parent?.parent as AsyncResult
    expect([await first.get(WAIT), await third.get(WAIT)]).toEqual([{ tenant: 't1' }, { tenant: 't1' }])

    const sent = `app.signature('lovage.stamps', queue='lovage', immutable=True)`
    const code = `
canvas = chain(${sent}, request.si(), ${sent})
canvas.stamp(tenant='t2')
result = canvas.apply_async().get(timeout=20)`
    expect(await client.evaluate(code)).toEqual({ tenant: 't2' })
  })

  it('are of one call, too', async () => {
    const sent = await app.sendTask('pytasks.request', [], {}, { stamps: { tenant: 't1' } })
    expect(await sent.get(WAIT)).toMatchObject({ stamped_headers: ['tenant'], stamps: { tenant: 't1' } })
  })

  it('are kept by retries of both', async () => {
    expect(await run(ours('again').stamp({ tenant: 't1' }))).toEqual({ tenant: 't1' })
    const retried = app.signature('pytasks.retry_at', { args: ['lovage', 1] }).stamp({ tenant: 't1' })
    expect(await run(retried)).toEqual([1, { tenant: 't1' }])
  })

  it('are on callbacks and errbacks, and not on what replaces a task', async () => {
    const seen = async (result: Signature<unknown>): Promise<unknown> => {
      const sent = (await result.applyAsync()) as AsyncResult
      await sent.get({ ...WAIT, propagate: false })
      const [child] = await sent.children()
      return child?.get(WAIT)
    }
    expect(await seen(ours('stamps').link(request()).stamp({ tenant: 't1' }))).toMatchObject({
      stamps: { tenant: 't1' },
    })
    const told = request().set({ taskId: 'told' })
    await seen(ours('fail').linkError(told).stamp({ tenant: 't1' }))
    expect(await app.asyncResult('told').get(WAIT)).toMatchObject({ stamps: { tenant: 't1' } })
    expect(await run(ours('replaced').stamp({ tenant: 't1' }))).toEqual({ own: 1 })
  })

  it('are stored with results that are extended', async () => {
    const stamps = { tenant: 't1', batch: ['b1'] }
    for (const canvas of [ours('stamps'), request()]) {
      const sent = (await canvas.stamp(stamps).applyAsync()) as AsyncResult
      await sent.get(WAIT)
      expect((await sent.meta())?.stamps).toEqual(stamps)
      const code = `app.backend.get_task_meta('${sent.id}')`
      expect(await client.evaluate(code)).toMatchObject({ stamped_headers: ['tenant', 'batch'], ...stamps })
    }
  })

  it.each(Object.entries(LISTS))('%s', (stamping, stamp) => {
    expect(comparable(stamp(add.s(1, 2)))).toEqual(comparable(stamped[stamping]))
  })
})
