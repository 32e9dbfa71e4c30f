import { appendFileSync } from 'node:fs'
import { trace } from '@opentelemetry/api'
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node'
import { Celery } from '../../../../src/index.js'
import { instrument } from '../../../../src/opentelemetry.js'

/** What children import: they export their spans to the file SPANS_FILE, and nothing of them before they are told to. */
export const app = new Celery('traced', JSON.parse(process.env.WORK_SETTINGS ?? '{}') as object)
if (process.env.SPANS_FILE !== undefined) exportTo(process.env.SPANS_FILE)
instrument(app)
registerTraced(app)

export function registerTraced(to: Celery): void {
  to.task('traced.work', { bind: true }, async ({ request, log }) => {
    const run = trace.getActiveSpan()
    run?.setAttributes({ 'shop.items': 3, 'shop.names': ['pen', 'ink'] }).setAttribute('shop.open', true)
    run?.setAttribute('shop.wrong', (() => 1) as unknown as string)
    run?.addEvent('paid', { cents: 250 }).updateName('work of a shop')
    run?.recordException(new RangeError('one missing'))
    const queue = request.deliveryInfo.routingKey
    await trace.getTracer('shop').startActiveSpan('inside', async (span) => {
      await app.sendTask('traced.next', [], {}, { queue })
      span.end()
    })
    log.info({}, 'worked')
    return run?.spanContext().spanId
  })
  to.task('traced.next', () => 'next')
  to.task('traced.spin', () => {
    for (;;);
  })
}

function exportTo(file: string): void {
  const exporter: SpanExporter = {
    export(spans, onDone) {
      for (const span of spans) appendFileSync(file, `${JSON.stringify(shown(span))}\n`)
      onDone({ code: 0 })
    },
    shutdown: () => Promise.resolve(),
  }
  const processor = new BatchSpanProcessor(exporter, { scheduledDelayMillis: 3_600_000 })
  new NodeTracerProvider({ spanProcessors: [processor] }).register()
}

function shown(span: ReadableSpan): object {
  const { traceId, spanId } = span.spanContext()
  return { name: span.name, traceId, spanId, parentId: span.parentSpanContext?.spanId }
}
