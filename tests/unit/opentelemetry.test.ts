import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Celery, chain, chord, type AppOptions } from '../../src/index.js'
import { instrument, type InstrumentOptions } from '../../src/opentelemetry.js'
import { recordingLog } from '../support/recording-log.js'
import { recordSpans, type RecordedSpans } from '../support/spans.js'
import { version } from '../../src/version.js'
import { NodeTracerProvider, type ReadableSpan } from '@opentelemetry/sdk-trace-node'

let spans: RecordedSpans
beforeAll(() => {
  spans = recordSpans()
})
beforeEach(() => spans.clear())
afterAll(() => spans[Symbol.asyncDispose]())

const PATIENCE = { timeout: 4000 }

function startSite(options: AppOptions & InstrumentOptions = {}): Celery {
  const { useSpanLinks = false, chordLinks = false, ...settings } = options
  const app = new Celery('traced', { broker: 'memory://', backend: 'memory://', ...settings })
  instrument(app, { useSpanLinks, chordLinks })
  onTestFinished(() => app.close())
  return app
}

async function startWorker(app: Celery): Promise<void> {
  const worker = await app.startWorker({ hostname: 'node@host' })
  onTestFinished(() => worker.stop())
}

/** They end after their results are there. */
const ended = (name: string, count = 1): Promise<readonly ReadableSpan[]> =>
  vi.waitFor(() => {
    const found = spans.named(name)
    expect(found).toHaveLength(count)
    return found
  }, PATIENCE)

const inSpan = <T>(name: string, work: () => Promise<T>): Promise<T> =>
  trace.getTracer('test').startActiveSpan(name, (span) => work().finally(() => span.end()))

const parentOf = (span: ReadableSpan | undefined): string | undefined => span?.parentSpanContext?.spanId
const idOf = (span: ReadableSpan | undefined): string | undefined => span?.spanContext().spanId
const traces = (): ReadonlySet<string> => new Set(spans.all.map((span) => span.spanContext().traceId))

describe('row 43: the spans of an app', () => {
  it('are those of Python’s instrumentor: one of the call, and as its child one of the run', async () => {
    const app = startSite()
    const add = app.task('math.add', (x: number, y: number) => x + y)
    await startWorker(app)
    const sent = await inSpan('caller', () => add.applyAsync({ args: [1, 2], timeLimit: 30 }))
    await sent.get(PATIENCE)

    const [run] = await ended('run/math.add')
    const call = spans.only('apply_async/math.add')
    expect([parentOf(call), parentOf(run)]).toEqual([idOf(spans.only('caller')), idOf(call)])
    expect([call.kind, run?.kind]).toEqual([SpanKind.PRODUCER, SpanKind.CONSUMER])
    expect(call.attributes).toEqual({
      'celery.action': 'apply_async',
      'celery.task_name': 'math.add',
      'messaging.message.id': sent.id,
      'messaging.destination_kind': 'queue',
      'messaging.destination': 'celery',
    })
    expect(run?.attributes).toEqual({
      'celery.action': 'run',
      'celery.task_name': 'math.add',
      'celery.state': 'SUCCESS',
      'celery.hostname': 'node@host',
      'celery.delivery_info':
        "{'exchange': '', 'routing_key': 'celery', 'priority': 0, 'redelivered': False}",
      'celery.reply_to': expect.any(String) as string,
      'celery.timelimit': ['30', ''],
      'messaging.message.id': sent.id,
      'messaging.conversation_id': sent.id,
      'messaging.destination': 'celery',
    })
    expect([call.status.code, run?.status.code]).toEqual([SpanStatusCode.UNSET, SpanStatusCode.UNSET])
  })

  it('have those that a task opens, and what it sends, as children of its run', async () => {
    const app = startSite()
    const inner = app.task('inner', () => 1)
    const outer = app.task('outer', async () => {
      await Promise.resolve()
      await inSpan('work', async () => void (await inner.delay()))
    })
    await startWorker(app)
    await (await outer.delay()).get(PATIENCE)

    await ended('run/inner')
    const [run] = await ended('run/outer')
    expect(parentOf(spans.only('work'))).toBe(idOf(run))
    expect(parentOf(spans.only('apply_async/inner'))).toBe(idOf(spans.only('work')))
    expect(traces().size).toBe(1)
  })

  it('tell a failure, but not one that the task may throw', async () => {
    class Expected extends Error {}
    const app = startSite()
    const fail = app.task('fail', { throws: [Expected] }, (isExpected: boolean) => {
      throw isExpected ? new Expected('it may') : new RangeError('it may not')
    })
    await startWorker(app)
    await (await fail.delay(false)).get({ ...PATIENCE, propagate: false })
    const [failed] = await ended('run/fail')
    expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'it may not' })
    expect(failed?.events).toMatchObject([
      {
        name: 'exception',
        attributes: { 'exception.type': 'RangeError', 'exception.message': 'it may not' },
      },
    ])
    expect(failed?.attributes['celery.state']).toBe('FAILURE')

    spans.clear()
    await (await fail.delay(true)).get({ ...PATIENCE, propagate: false })
    const [expected] = await ended('run/fail')
    expect(expected?.status.code).toBe(SpanStatusCode.UNSET)
    expect(expected?.events).toEqual([])
  })

  it('stay in one trace over a retry, a chain and a chord', async () => {
    const app = startSite()
    const flaky = app.task('flaky', { bind: true }, (task, x: number) => {
      if (task.request.retries === 0) throw task.retry({ countdown: 0, cause: new Error('not yet') })
      return x
    })
    const add = app.task('add', (x: number, y: number) => x + y)
    const sum = app.task('sum', (numbers: number[]) => numbers.reduce((a, b) => a + b))
    await startWorker(app)
    await (await chain(flaky.s(1), add.s(2)).applyAsync()).get(PATIENCE)

    const runs = await ended('run/flaky', 2)
    const [next] = await ended('run/add')
    const [first, again] = spans.named('apply_async/flaky')
    expect(runs.map((run) => run.attributes['celery.state'])).toEqual(['RETRY', 'SUCCESS'])
    expect(runs.map((run) => run.attributes['celery.retry.reason'])).toEqual(['Error: not yet', undefined])
    expect(runs.map((run) => run.attributes['celery.retries'])).toEqual([undefined, 1])
    expect(runs.map(parentOf)).toEqual([idOf(first), idOf(again)])
    expect(parentOf(again)).toBe(idOf(runs[0]))
    expect(parentOf(spans.only('apply_async/add'))).toBe(idOf(runs[1]))
    expect(parentOf(next)).toBe(idOf(spans.only('apply_async/add')))
    expect(traces().size).toBe(1)

    spans.clear()
    const sent = await inSpan('caller', () => chord([add.s(1, 1), add.s(2, 2)], sum.s()).applyAsync())
    expect(await sent.get(PATIENCE)).toBe(6)
    await ended('run/sum')
    const parts = await ended('run/add', 2)
    expect(parts.map(idOf)).toContain(parentOf(spans.only('apply_async/sum')))
    expect(traces().size).toBe(1)
  })

  it.each([true, false])(
    'link a chord’s body to all parts of its header where chordLinks is %s',
    async (chordLinks) => {
      const app = startSite({ chordLinks })
      const add = app.task('add', (x: number, y: number) => x + y)
      const sum = app.task('sum', (numbers: number[]) => numbers.reduce((a, b) => a + b))
      await startWorker(app)
      const sent = await chord([add.s(1, 1), add.s(2, 2), add.s(3, 3)], sum.s()).applyAsync()
      expect(await sent.get(PATIENCE)).toBe(12)

      const parts = await ended('run/add', 3)
      const body = spans.only('apply_async/sum')
      // Sent outside of any span, each part is a trace of its own.
      expect(traces().size).toBe(3)
      expect(parts.map(idOf)).toContain(parentOf(body))
      expect(new Set(body.links.map((link) => link.context.spanId))).toEqual(
        new Set(chordLinks ? parts.map(idOf) : []),
      )
      const [run] = await ended('run/sum')
      expect(run?.links).toEqual([])
    },
  )

  it('carry baggage, and go on with a trace that the caller put into the headers', async () => {
    const app = startSite()
    const tell = app.task('tell', () => propagation.getActiveBaggage()?.getEntry('tenant')?.value)
    await startWorker(app)
    const baggage = propagation.createBaggage({ tenant: { value: 't1' } })
    const result = await context.with(propagation.setBaggage(context.active(), baggage), () => tell.delay())
    expect(await result.get(PATIENCE)).toBe('t1')

    spans.clear()
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await tell.applyAsync({ headers: { traceparent } })
    const [run] = await ended('run/tell')
    expect(run?.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c')
    expect(parentOf(spans.only('apply_async/tell'))).toBe('b7ad6b7169203331')

    spans.clear()
    const stale = { traceparent, tracestate: 'shop=1' }
    await inSpan('caller', () => tell.applyAsync({ headers: stale }))
    const [own] = await ended('run/tell')
    expect(own?.spanContext().traceId).toBe(spans.only('caller').spanContext().traceId)
    expect(own?.spanContext().traceState).toBeUndefined()
  })

  it.each([
    ['a number', 7],
    ['a text that is none', 'no-trace'],
    ['null', null],
  ])('begin a trace where what should be one in the headers is %s', async (_, value) => {
    const app = new Celery('traced', { broker: 'memory://', backend: 'memory://' })
    onTestFinished(() => app.close())
    app.task('late', () => 'ran')
    const end = instrument(app)
    await startWorker(app)
    end()
    const headers = { traceparent: value, baggage: value, tracestate: value }
    expect(await (await app.sendTask('late', [], {}, { headers })).get(PATIENCE)).toBe('ran')
    const [run] = await ended('run/late')
    expect(parentOf(run)).toBeUndefined()
  })

  it('end with an error where a call could not be sent', async () => {
    const app = startSite()
    await expect(app.sendTask('t', [Symbol('no JSON')])).rejects.toThrow()
    const { status } = spans.only('apply_async/t')
    expect(status.code).toBe(SpanStatusCode.ERROR)
  })

  it('end where a task is terminated, or handed back as its worker stops', async () => {
    const app = startSite({ workerShutdownTimeout: 0 })
    const begun: string[] = []
    const wait = app.task('wait', { bind: true }, ({ request, signal }) => {
      begun.push(request.id)
      return new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    const worker = await app.startWorker()
    const { id } = await wait.delay()
    await vi.waitFor(() => expect(begun).toEqual([id]), PATIENCE)
    expect(worker.terminate(id)).toBe(true)
    const [terminated] = await ended('run/wait')
    expect(terminated?.attributes['celery.state']).toBe('REVOKED')

    const { id: second } = await wait.delay()
    await vi.waitFor(() => expect(begun).toEqual([id, second]), PATIENCE)
    await worker.stop()
    const [, handedBack] = await ended('run/wait', 2)
    expect(handedBack?.attributes).not.toHaveProperty('celery.state')
  })

  it('have no part in what is recorded of many tasks at once', async () => {
    const app = startSite()
    const add = app.task('add', (x: number, y: number) => x + y)
    const active: unknown[] = []
    const stored = app.backend.store.bind(app.backend)
    Object.assign(app.backend, {
      store: (...given: Parameters<typeof stored>) => {
        active.push(trace.getActiveSpan())
        return stored(...given)
      },
    })
    await startWorker(app)
    await (await add.delay(1, 2)).get(PATIENCE)
    expect(active).toEqual([undefined])
  })

  it('go to the provider that is named, whose export is waited for, though not for ever', async () => {
    const flushed = vi.fn(() => new Promise<void>(() => undefined))
    const provider = Object.assign(new NodeTracerProvider(), { forceFlush: flushed })
    const getTracer = vi.spyOn(provider, 'getTracer')
    const app = new Celery('traced', { broker: 'memory://' })
    instrument(app, { tracerProvider: provider })
    await app.sendTask('one')
    expect(getTracer).toHaveBeenCalledWith('lovage', version)
    expect(spans.all).toEqual([])

    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const closed = vi.fn()
    const closing = app.close().then(closed)
    await vi.advanceTimersByTimeAsync(2999)
    expect(flushed).toHaveBeenCalledOnce()
    expect(closed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    await closing
  })

  it('link a run to its call instead, with useSpanLinks', async () => {
    const app = startSite({ useSpanLinks: true })
    const add = app.task('add', (x: number, y: number) => x + y)
    await startWorker(app)
    await add.delay(1, 2)
    const [run] = await ended('run/add')
    const call = spans.only('apply_async/add').spanContext()
    expect(parentOf(run)).toBeUndefined()
    expect(run?.spanContext().traceId).not.toBe(call.traceId)
    expect(run?.links.map((link) => link.context)).toMatchObject([
      { traceId: call.traceId, spanId: call.spanId },
    ])
  })

  it('are made for each app by itself, until that is ended', async () => {
    const app = new Celery('traced', { broker: 'memory://' })
    onTestFinished(() => app.close())
    const end = instrument(app)
    expect(() => instrument(app)).toThrow('app traced: it is instrumented already')
    await app.sendTask('one')
    end()
    await app.sendTask('two')
    expect(spans.all.map(({ name }) => name)).toEqual(['apply_async/one'])
  })
})

describe('row 43: the log', () => {
  it('has the task’s id and name on its lines, and the trace where there is one', async () => {
    const log = recordingLog()
    const app = startSite({ log })
    const tell = app.task('tell', { bind: true }, (task) => task.log.info({ shop: 3 }, 'told'))
    await startWorker(app)
    const { id } = await tell.delay()
    const [run] = await ended('run/tell')
    const about = {
      taskId: id,
      task: 'tell',
      trace_id: run?.spanContext().traceId,
      span_id: run?.spanContext().spanId,
      trace_flags: '01',
    }
    const line = (text: RegExp): unknown => log.lines.find(({ message }) => text.test(message))?.fields
    expect(line(/told/)).toEqual({ ...about, shop: 3 })
    expect(line(/succeeded/)).toMatchObject(about)
    expect(line(/ready/)).not.toHaveProperty('trace_id')
  })
})
