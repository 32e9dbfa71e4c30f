import {
  context,
  createContextKey,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Exception,
  type Link,
  type Span,
  type SpanContext,
  type TextMapGetter,
  type TracerProvider,
} from '@opentelemetry/api'
import { applyNotes, relayedSpan, type Notes } from './relayed-span.js'
import { callAttributes, runAttributes } from './attributes.js'
import { describeThrown } from '../serialization/exceptions.js'
import { version } from '../version.js'
import type { SpanNotes, TraceCarrier, Tracing } from '../app/tracing.js'
import type { TaskMessage } from '../serialization/task-message.js'

export interface TracingOptions {
  /** Where spans go. @default the one that is registered globally */
  readonly tracerProvider?: TracerProvider
  /**
   * A run is linked to the call that it comes of, instead of being its child: each is a trace of its own, which suits
   * tasks that run hours after they were sent. Python's `use_span_links`.
   *
   * @default false
   */
  readonly useSpanLinks?: boolean
  /**
   * The call of a chord's body is linked to the runs of all parts of its header, 128 at most, not only a child of the
   * last one's. Costs a command more for each part; what Python workers ran is not among them.
   *
   * @default false
   */
  readonly chordLinks?: boolean
}

interface Run {
  readonly span: Span
  readonly context: Context
}

/** Spans that calls are linked to. */
const LINKS = createContextKey('lovage: links of calls')
/** Below the time that a child of a pool has to end. */
const FLUSH_MS = 3000

/** Headers come from anybody, and propagators take them for texts. */
const headers: TextMapGetter<Readonly<Record<string, unknown>>> = {
  keys: (carrier) => Object.keys(carrier),
  get(carrier, key) {
    const value = carrier[key]
    return typeof value === 'string' ? value : undefined
  },
}

export function createTracing(options: TracingOptions): Tracing {
  const { tracerProvider, useSpanLinks = false, chordLinks = false } = options
  const provider = tracerProvider ?? trace.getTracerProvider()
  const tracer = provider.getTracer('lovage', version)
  /** By message: the same task may be delivered twice at the same time. */
  const runs = new WeakMap<TaskMessage, Run>()

  const sentFrom = (message: TaskMessage): Context =>
    propagation.extract(ROOT_CONTEXT, message.headers, headers)

  const contextOf = (message: TaskMessage): Context => runs.get(message)?.context ?? sentFrom(message)

  return {
    async sending(call, publish) {
      const here = context.active()
      // Outside of any span, one that the caller has put into the headers is gone on with.
      const parent =
        trace.getSpan(here) === undefined ? propagation.extract(here, call.headers, headers) : here
      const links = (here.getValue(LINKS) ?? []) as Link[]
      const about = { kind: SpanKind.PRODUCER, attributes: callAttributes(call), links }
      const span = tracer.startSpan(`apply_async/${call.task}`, about, parent)
      const within = trace.setSpan(parent, span)
      // A retry has the headers of the run before.
      for (const name of propagation.fields()) delete call.headers[name]
      propagation.inject(within, call.headers)
      try {
        await context.with(within, publish)
      } catch (error) {
        fail(span, error)
        throw error
      } finally {
        span.end()
      }
    },

    running(message, hostname, work) {
      const sender = sentFrom(message)
      const calledBy = trace.getSpanContext(sender)
      const about = { kind: SpanKind.CONSUMER, attributes: runAttributes(message, hostname) }
      const isLinked = useSpanLinks && calledBy !== undefined
      const span = isLinked
        ? tracer.startSpan(
            `run/${message.task}`,
            { ...about, links: [{ context: calledBy }] },
            trace.deleteSpan(sender),
          )
        : tracer.startSpan(`run/${message.task}`, about, sender)
      const within = trace.setSpan(sender, span)
      runs.set(message, { span, context: within })
      return context.with(within, work)
    },

    ended(message, { state, value, isExpected = false }) {
      const span = runs.get(message)?.span
      if (span === undefined) return
      if (state !== undefined) span.setAttribute('celery.state', state)
      if (state === 'RETRY') span.setAttribute('celery.retry.reason', reasonOf(value))
      if (state === 'FAILURE' && !isExpected) fail(span, value)
      span.end()
    },

    following: (message, work, links = []) =>
      context.with(contextOf(message).setValue(LINKS, links.flatMap(readTrace)), work),

    traceOf: chordLinks ? (message) => nameTrace(trace.getSpanContext(contextOf(message))) : undefined,

    outside: (work) => context.with(ROOT_CONTEXT, work),

    carrierOf(message) {
      const carrier: Record<string, string> = {}
      propagation.inject(contextOf(message), carrier)
      return carrier
    },

    runningInChild(carrier: TraceCarrier, work) {
      const outer = propagation.extract(ROOT_CONTEXT, carrier, headers)
      const spanContext = trace.getSpanContext(outer)
      if (spanContext === undefined) return { returned: context.with(outer, work), notes: () => undefined }
      const { span, notes } = relayedSpan(spanContext)
      const returned = context.with(trace.setSpan(outer, span), work)
      return { returned, notes: notes as () => SpanNotes | undefined }
    },

    noted(message, notes) {
      const span = runs.get(message)?.span
      if (span !== undefined) applyNotes(span, notes as unknown as Notes)
    },

    logFields() {
      const spanContext = trace.getActiveSpan()?.spanContext()
      if (spanContext === undefined || !trace.isSpanContextValid(spanContext)) return undefined
      const { traceId, spanId, traceFlags } = spanContext
      return {
        trace_id: traceId,
        span_id: spanId,
        trace_flags: hex(traceFlags),
      }
    },

    flush: () => flush(provider),
  }
}

/** As `traceparent` has it. */
function nameTrace(spanContext: SpanContext | undefined): string | undefined {
  if (spanContext === undefined) return undefined
  const { traceId, spanId, traceFlags } = spanContext
  return `00-${traceId}-${spanId}-${hex(traceFlags)}`
}

function readTrace(name: string): Link[] {
  const [, traceId = '', spanId = '', flags = ''] = name.split('-')
  const spanContext = { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true }
  return trace.isSpanContextValid(spanContext) ? [{ context: spanContext }] : []
}

function hex(flags: number): string {
  return flags.toString(16).padStart(2, '0')
}

function fail(span: Span, thrown: unknown): void {
  const exception = exceptionOf(thrown)
  span.recordException(exception)
  span.setStatus({ code: SpanStatusCode.ERROR, message: exception.message })
}

function reasonOf(thrown: unknown): string {
  const { name, message } = exceptionOf(thrown)
  return `${name}: ${message}`
}

/** Under the name that its result has, wherever it was thrown. */
function exceptionOf(thrown: unknown): Exception & { readonly name: string; readonly message: string } {
  const { exception, traceback } = describeThrown(thrown)
  const message = thrown instanceof Error ? thrown.message : exception.exc_message.map(String).join(', ')
  const stack = thrown instanceof Error ? thrown.stack : undefined
  return { name: exception.exc_type, message, stack: stack ?? traceback }
}

/** The API knows no flush; the providers of the SDK do. */
async function flush(provider: TracerProvider): Promise<void> {
  const real = provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider
  const { forceFlush } = real as { forceFlush?: unknown }
  if (typeof forceFlush !== 'function') return
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise((resolve) => (timer = setTimeout(resolve, FLUSH_MS)))
  const flushed = Promise.resolve(forceFlush.call(real)).catch(() => undefined)
  await Promise.race([flushed, patience])
  clearTimeout(timer)
}
