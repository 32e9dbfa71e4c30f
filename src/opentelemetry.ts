import { createTracing, type TracingOptions } from './opentelemetry/tracing.js'
import type { Celery } from './app/celery.js'

export type { TracingOptions as InstrumentOptions }

/**
 * Have OpenTelemetry spans made of an app's calls and runs, under the names and with the attributes of Python's
 * `CeleryInstrumentor`, and their context carried in the headers of messages as it does. Call it before workers start, in
 * the module that children of pools import as well.
 *
 * Spans go to what the program has set up by the SDK; without one, nothing is recorded, and traces of others are passed on
 * where a propagator is set.
 *
 * @returns ends it, for calls and for workers to come.
 * @throws InvalidArgumentError where the app is instrumented already.
 */
export function instrument(app: Pick<Celery, 'traceWith'>, options: TracingOptions = {}): () => void {
  return app.traceWith(createTracing(options))
}
