import type { Log } from '../log.js'
import type { Publication, RunState } from './signals.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** Headers by which a trace goes on elsewhere, such as `traceparent`. */
export type TraceCarrier = Readonly<Record<string, string>>

/** How a run ended, or how far it came. */
export interface TracedEnd {
  /** Undefined where it was handed back, to run again. */
  readonly state: RunState | 'REVOKED' | undefined
  /** What it threw, or because of which it is retried. */
  readonly value?: unknown
  /** What it threw is one of the task's `throws`. */
  readonly isExpected?: boolean
}

/** What a task has noted on its span in a child; only who made it can read it. */
export type SpanNotes = Readonly<Record<string, unknown>>

/**
 * What makes spans of an app's calls and runs. The app and its workers know no more of traces than this;
 * `lovage/opentelemetry` is the one that there is. Nothing here throws by itself.
 */
export interface Tracing {
  /** Publish a call within a span of its own, whose context goes into the call's headers. */
  sending(this: void, call: Publication, publish: () => Promise<void>): Promise<void>
  /** Run a task, and all that follows from it, within a span, which lasts until `ended`. */
  running<T>(this: void, message: TaskMessage, hostname: string, work: () => T): T
  /** For a message that does not run here, nothing. */
  ended(this: void, message: TaskMessage, end: TracedEnd): void
  /**
   * Do what a task has left to others, such as sending the body of its chord, as if within its span.
   *
   * @param links - names of spans that what is sent is linked to; those of `traceOf`.
   */
  following<T>(this: void, message: TaskMessage, work: () => T, links?: readonly string[]): T
  /**
   * Names the span of a task that is a part of a chord, for whoever sends the body. Undefined where bodies are not to
   * be linked to their parts.
   */
  readonly traceOf: ((this: void, message: TaskMessage) => string | undefined) | undefined
  /** Do what is done for many tasks at once, and so belongs to the span of none. */
  outside<T>(this: void, work: () => T): T
  /** What a child needs to go on with the trace of a run. */
  carrierOf(this: void, message: TaskMessage): TraceCarrier
  /**
   * In a child: run a task within the span that its worker has made.
   *
   * @returns what `work` does, and what was noted on the span until now.
   */
  runningInChild<T>(
    this: void,
    carrier: TraceCarrier,
    work: () => T,
  ): { readonly returned: T; readonly notes: () => SpanNotes | undefined }
  /** Note the same on the span itself. */
  noted(this: void, message: TaskMessage, notes: SpanNotes): void
  /** Which trace and span a line of the log belongs to. */
  logFields(this: void): Readonly<Record<string, unknown>> | undefined
  /** Have what was recorded so far exported. Resolves in any case, and within some seconds. */
  flush(this: void): Promise<void>
}

/** The same log, whose lines say which trace they belong to. */
export function tracedLog(log: Log, { logFields }: Pick<Tracing, 'logFields'>): Log {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: Record<string, unknown>, message: string): void => {
      const traced = logFields()
      log[level](traced === undefined ? fields : { ...traced, ...fields }, message)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    isLevelEnabled: (level) => log.isLevelEnabled(level),
    child: (fields) => tracedLog(log.child(fields), { logFields }),
  }
}
