import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { SpanStatusCode } from '@opentelemetry/api'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { app as traced, registerTraced } from './apps/traced.js'
import { atTestEnd } from '../../support/at-test-end.js'
import { eventually } from '../../support/eventually.js'
import { instrument } from '../../../src/opentelemetry.js'
import { recordSpans, type RecordedSpans } from '../../support/spans.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { tempDir } from '../../support/temp-dir.js'
import { testApp } from '../../support/test-app.js'
import type { Celery, PoolKind } from '../../../src/index.js'

let redis: SharedRedis
let spans: RecordedSpans
beforeAll(async () => {
  redis = await redisForTests()
  spans = recordSpans()
})
beforeEach(() => spans.clear())
afterAll(async () => {
  await spans[Symbol.asyncDispose]()
  await traced.close()
  await redis.stop()
})

const PATIENCE = { timeout: 25_000 }

interface Exported {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
}

interface Site {
  readonly app: Celery
  readonly queue: string
  /** Of children, once one of this name is there. */
  exported(this: void, name: string): Promise<Exported>
}

async function startSite(pool: PoolKind, settings: object): Promise<Site> {
  const queue = `traced-${randomUUID()}`
  const file = path.join(await tempDir(), 'spans.jsonl')
  const app = testApp(redis.url, settings)
  instrument(app)
  registerTraced(app)
  const childSettings = { broker: redis.url, backend: redis.url, ...settings }
  const worker = await app.startWorker({
    queues: [queue],
    pool,
    concurrency: 1,
    appModule: new URL('./apps/traced.ts', import.meta.url),
    childEnv: { ...process.env, SPANS_FILE: file, WORK_SETTINGS: JSON.stringify(childSettings) },
  })
  atTestEnd(() => worker.stop())
  const all = (): Exported[] =>
    existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Exported)
      : []
  const exported = (name: string): Promise<Exported> =>
    eventually(() => {
      const found = all().find((span) => span.name === name)
      if (found === undefined) throw new Error(`no span ${name} among ${JSON.stringify(all())}`)
      return found
    })
  return { app, queue, exported }
}

describe.each(['processes', 'threads'] as const)('row 43: in a pool of %s', (pool) => {
  it('spans of a child are exported before it ends, and belong to the run', async () => {
    const { app, queue, exported } = await startSite(pool, { workerMaxTasksPerChild: 1 })
    const result = await app.sendTask('traced.work', [], {}, { queue })
    const seen = await result.get(PATIENCE)

    const inside = await exported('inside')
    const sent = await exported('apply_async/traced.next')
    const run = await eventually(() => spans.only('work of a shop'))
    // In a child of its own, which has to start.
    const next = await eventually(() => spans.only('run/traced.next'), { timeoutMs: PATIENCE.timeout })
    expect(seen).toBe(run.spanContext().spanId)
    expect([inside.parentId, sent.parentId, next.parentSpanContext?.spanId]).toEqual([
      run.spanContext().spanId,
      inside.spanId,
      sent.spanId,
    ])
    expect(new Set([inside.traceId, sent.traceId, next.spanContext().traceId])).toEqual(
      new Set([run.spanContext().traceId]),
    )
    // What the task noted on its span stands on it.
    expect(run.attributes).toMatchObject({
      'shop.items': 3,
      'shop.names': ['pen', 'ink'],
      'shop.open': true,
      'celery.state': 'SUCCESS',
    })
    expect(run.attributes).not.toHaveProperty('shop.wrong')
    expect(run.events).toMatchObject([
      { name: 'paid', attributes: { cents: 250 } },
      { name: 'exception', attributes: { 'exception.type': 'RangeError' } },
    ])
  })
})

it('row 43: the span of a run whose child is killed ends with an error', async () => {
  const { app, queue } = await startSite('processes', { taskTimeLimit: 1 })
  const result = await app.sendTask('traced.spin', [], {}, { queue })
  await result.get({ ...PATIENCE, propagate: false })
  const run = await eventually(() => spans.only('run/traced.spin'))
  expect(run.status.code).toBe(SpanStatusCode.ERROR)
  expect(run.events[0]?.attributes).toMatchObject({ 'exception.type': 'TimeLimitExceeded' })
})
