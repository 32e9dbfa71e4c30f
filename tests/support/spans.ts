import { context, propagation, trace } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node'

/** Spans of this process, in the order in which they ended. */
export interface RecordedSpans extends AsyncDisposable {
  readonly all: readonly ReadableSpan[]
  named(name: string): readonly ReadableSpan[]
  /** @throws where there is not exactly one. */
  only(name: string): ReadableSpan
  clear(): void
}

/** Set up OpenTelemetry as a program would, and keep what it exports, until disposed of. */
export function recordSpans(): RecordedSpans {
  const exporter = new InMemorySpanExporter()
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  provider.register()
  const named = (name: string): readonly ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.name === name)
  return {
    get all() {
      return exporter.getFinishedSpans()
    },
    named,
    only(name) {
      const found = named(name)
      const [span] = found
      if (span !== undefined && found.length === 1) return span
      const names = exporter.getFinishedSpans().map((each) => each.name)
      throw new Error(`${found.length} spans ${name} among ${names.join(', ')}`)
    },
    clear: () => exporter.reset(),
    async [Symbol.asyncDispose]() {
      await provider.shutdown()
      trace.disable()
      context.disable()
      propagation.disable()
    },
  }
}
