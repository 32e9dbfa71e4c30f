import type { PortableOutcome, PortableError } from './portable-outcome.js'
import type { SpanNotes, TraceCarrier } from '../../../app/tracing.js'
import type { StoredResult } from '../../../results/result-backend.js'

/** What a child is told when it is made. */
export interface ChildOrders {
  /** URL of the module that exports the app. */
  readonly module: string
  /** Name of the node. */
  readonly hostname: string
  /** Whether it is to tell of its memory. */
  readonly reportsMemory: boolean
}

/** What a worker says to one of its children. */
export type ToChild =
  /** Run the task of this message. */
  | {
      readonly type: 'run'
      readonly envelope: string
      readonly softLimit: number | undefined
      /** Of the span that its worker has made for the run. */
      readonly trace?: TraceCarrier | undefined
    }
  /** Abort the signal of the task that runs. */
  | { readonly type: 'abort'; readonly reason: PortableError }
  /** What was asked for under this number is done, or why it is not. */
  | { readonly type: 'done'; readonly number: number; readonly error: PortableError | undefined }
  /** End; nothing runs. */
  | { readonly type: 'stop' }

/** What a child says to its worker. */
export type FromChild =
  /** It can run these tasks. */
  | { readonly type: 'ready'; readonly tasks: readonly string[] }
  /** It cannot run any, and ends. */
  | { readonly type: 'failed'; readonly why: string }
  /** Store a state of the task that runs, or send an event; fields are JSON. */
  | { readonly type: 'ask'; readonly number: number; readonly what: Favour }
  /** The task has ended. */
  | {
      readonly type: 'ended'
      readonly outcome: PortableOutcome
      /** Resident memory of a process, heap of a thread and what is beside it; undefined where nobody asked. */
      readonly memoryKib: number | undefined
      /** What the task noted on the span of its run. */
      readonly notes?: SpanNotes | undefined
    }

/** What a task has its worker do for it. */
export type Favour =
  | { readonly kind: 'store'; readonly result: StoredResult }
  | { readonly kind: 'event'; readonly name: string; readonly fields: string }
