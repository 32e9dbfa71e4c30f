import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { trace } from '@opentelemetry/api'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Celery, chain, type RunningWorker } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { instrument } from '../../src/opentelemetry.js'
import { recordSpans, type RecordedSpans } from '../support/spans.js'
import { startPythonClient, type PythonClient } from '../support/python-client.js'
import { startPythonWorker, type PythonWorker } from '../support/python-worker.js'
import { startRedis, type RedisServer } from '../support/redis-server.js'

/** As Python's SDK shows it. */
interface PythonSpan {
  readonly name: string
  readonly kind: string
  readonly context: { readonly trace_id: string; readonly span_id: string }
  readonly parent_id: string | null
  readonly attributes: Readonly<Record<string, unknown>>
}

const PATIENCE = { timeout: 30_000 }
describe('row 43: traces, with Python’s CeleryInstrumentor', () => {
  let redis: RedisServer
  let spans: RecordedSpans
  let app: Celery
  let worker: RunningWorker
  let python: PythonWorker
  let client: PythonClient
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'lovage-'))
    redis = await startRedis()
    spans = recordSpans()
    const extraEnv = { PYTASKS_TRACES: path.join(directory, 'spans.jsonl') }
    app = new Celery('test', {
      broker: redis.url,
      backend: redis.url,
      taskRoutes: { 'pytasks.*': { queue: 'python' } },
    })
    instrument(app)
    app.task('lovage.double', (x: number) => x * 2)
    app.task('lovage.flaky', { bind: true }, (task, x: number) => {
      if (task.request.retries === 0) throw task.retry({ countdown: 0 })
      return x
    })
    worker = await app.startWorker()
    python = await startPythonWorker({ broker: redis.url, queues: ['python'], pool: 'solo', extraEnv })
    client = startPythonClient({ broker: redis.url, extraEnv })
  })
  beforeEach(() => spans.clear())
  afterAll(async () => {
    await client.stop()
    await python.kill()
    await worker.stop()
    await app.close()
    await spans[Symbol.asyncDispose]()
    await redis.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const idOf = ({ context }: PythonSpan): string => context.span_id.slice(2)
  /** Of the one Python span about this task. */
  const pythonSpan = (name: string, taskId: string): Promise<PythonSpan> =>
    eventually(() => {
      const file = path.join(directory, 'spans.jsonl')
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
      const all = lines.map((line) => JSON.parse(line) as PythonSpan)
      const found = all.find(
        (span) => span.name === name && span.attributes['messaging.message.id'] === taskId,
      )
      if (found === undefined) throw new Error(`no ${name} among ${all.map((span) => span.name).join()}`)
      return found
    })

  it('go on from a Python producer to a Lovage worker, over its retries', async () => {
    const id = (await client.evaluate(`
@app.task(name="lovage.flaky")
def flaky(x): pass
result = flaky.apply_async((7,), headers={"own": "kept"}).id`)) as string
    expect(await client.get(id)).toBe(7)

    const call = await pythonSpan('apply_async/lovage.flaky', id)
    await eventually(() => spans.named('run/lovage.flaky').length === 2)
    const [first, second] = spans.named('run/lovage.flaky')
    const retry = spans.only('apply_async/lovage.flaky')
    expect(first?.parentSpanContext).toMatchObject({ spanId: idOf(call), isRemote: true })
    expect(retry.parentSpanContext?.spanId).toBe(first?.spanContext().spanId)
    expect(second?.parentSpanContext?.spanId).toBe(retry.spanContext().spanId)
    expect(new Set(spans.all.map((span) => `0x${span.spanContext().traceId}`))).toEqual(
      new Set([call.context.trace_id]),
    )
  })

  it('go on from Lovage to a Python worker, over its retry, back, and to it again', async () => {
    const steps = chain(
      app.signature('pytasks.retry_once', { args: [5] }),
      app.signature<number>('lovage.double'),
      app.signature<number>('pytasks.add', { args: [1] }),
    )
    const last = await trace.getTracer('test').startActiveSpan('caller', async (span) => {
      const sent = await steps.applyAsync()
      span.end()
      return sent
    })
    expect(await last.get(PATIENCE)).toBe(11)

    const first = spans.only('apply_async/pytasks.retry_once')
    const { spanId, traceId } = first.spanContext()
    const runOfFirst = await pythonSpan('run/pytasks.retry_once', last.parent?.parent?.id ?? '')
    expect([runOfFirst.parent_id, runOfFirst.context.trace_id]).toEqual([`0x${spanId}`, `0x${traceId}`])
    const double = await eventually(() => spans.only('run/lovage.double'))
    expect(double.spanContext().traceId).toBe(traceId)
    const call = spans.only('apply_async/pytasks.add')
    expect(call.parentSpanContext?.spanId).toBe(double.spanContext().spanId)
    const runOfLast = await pythonSpan('run/pytasks.add', last.id)
    expect([runOfLast.parent_id, runOfLast.context.trace_id]).toEqual([
      `0x${call.spanContext().spanId}`,
      `0x${traceId}`,
    ])
  })

  it('have spans of the same names, kinds and attributes from both', async () => {
    const id = (await client.evaluate('add.apply_async((1, 2), queue="python", time_limit=30).id')) as string
    await client.get(id)
    const mine = await app.sendTask('lovage.double', [2], {}, { timeLimit: 30 })
    await mine.get(PATIENCE)

    for (const [verb, kind] of [
      ['apply_async', 'PRODUCER'],
      ['run', 'CONSUMER'],
    ]) {
      const theirs = await pythonSpan(`${verb}/pytasks.add`, id)
      const ours = await eventually(() => spans.only(`${verb}/lovage.double`))
      expect(theirs.kind).toBe(`SpanKind.${kind}`)
      expect(ours.kind).toBe(kind === 'PRODUCER' ? 3 : 4)
      const typesOf = (attributes: object): object =>
        Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, typeof value]))
      expect(typesOf(ours.attributes)).toEqual(typesOf(theirs.attributes))
    }
  })
})
