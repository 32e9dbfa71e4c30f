import type { z } from 'zod'
import type { LimitKey, RateLimit, SharedRateLimit } from './rate-limit.js'
import type { RunState } from './signals.js'
import type { TaskContext } from './task-context.js'
import type { UniqueOptions } from './unique-calls.js'

/** Anything an instance of which can be thrown. */
export type ErrorClass = abstract new (...args: never[]) => unknown

/**
 * What a task has done around its runs; Celery's handlers. What they throw is logged, and does no harm to the task.
 * They have the task's slot until they are done; those after a run may be left out where the worker dies.
 */
export interface TaskHooks {
  /** Before each run. */
  readonly beforeStart?: (task: TaskContext) => unknown
  /** The run has succeeded. */
  readonly onSuccess?: (result: unknown, task: TaskContext) => unknown
  /** It has failed for good. */
  readonly onFailure?: (error: unknown, task: TaskContext) => unknown
  /** It is to be run again. @param reason - what it was retried for. */
  readonly onRetry?: (reason: unknown, task: TaskContext) => unknown
  /** After each run, behind the above. @param value - what the run returned or threw. */
  readonly afterReturn?: (state: RunState, value: unknown, task: TaskContext) => unknown
}

/** What a task says of itself; Celery's task attributes in camelCase. */
export interface TaskOptions extends TaskHooks {
  /** Where its messages go, unless the call or a route says otherwise. */
  readonly queue?: string
  /** 0 to 9, 0 the most urgent on Redis. */
  readonly priority?: number
  /** Discard return values. @default the setting `taskIgnoreResult` */
  readonly ignoreResult?: boolean
  /** Store failures although results are ignored. @default the setting `taskStoreErrorsEvenIfIgnored` */
  readonly storeErrorsEvenIfIgnored?: boolean
  /** Seconds for which its results are kept; 0 or null for ever. @default the setting `resultExpires` */
  readonly resultExpires?: number | null
  /** Acknowledge after the result is stored. @default the setting `taskAcksLate` */
  readonly acksLate?: boolean
  /**
   * Run it again when its worker dies while it runs; else it fails with WorkerLostError, and its message goes to the
   * dead letters. @default the setting `taskRejectOnWorkerLost`
   */
  readonly rejectOnWorkerLost?: boolean
  /**
   * Whether a message is done with when its task has failed, or went on past its time limit; false: it goes to the dead
   * letters. For tasks that are acknowledged late. @default the setting `taskAcksOnFailureOrTimeout`
   */
  readonly acksOnFailureOrTimeout?: boolean
  /** Store STARTED. @default the setting `taskTrackStarted` */
  readonly trackStarted?: boolean
  /** How often it may be retried; null: for ever. @default 3 */
  readonly maxRetries?: number | null
  /** Seconds before a retry that names no countdown. @default 180 */
  readonly defaultRetryDelay?: number
  /** Errors that are retried without being asked. */
  readonly autoretryFor?: readonly ErrorClass[]
  /** Exceptions to `autoretryFor`. */
  readonly dontAutoretryFor?: readonly ErrorClass[]
  /** Errors that are expected: failures by them are logged as information, without a stack. */
  readonly throws?: readonly ErrorClass[]
  /** Double the countdown with every automatic retry, beginning with this many seconds (true: 1). @default false */
  readonly retryBackoff?: boolean | number
  /** Longest countdown in seconds. @default 600 */
  readonly retryBackoffMax?: number
  /** Draw the countdown between 0 and its value, so that many do not come back at once. @default true */
  readonly retryJitter?: boolean
  /** Seconds after which the task's signal aborts. @default the setting `taskSoftTimeLimit` */
  readonly softTimeLimit?: number
  /** Seconds after which the task fails. @default the setting `taskTimeLimit` */
  readonly timeLimit?: number
  /**
   * How many may start in a while: in each worker, as Celery's, `10/s`, `100/m`, `5/h` or a number a second; or by all
   * workers together, `{ limit, per, key }`. What has to wait for it holds no slot. @default `taskDefaultRateLimit`
   */
  readonly rateLimit?: RateLimit | SharedRateLimit
  /** Not of Celery: how many may run at once in all workers together; of each `concurrencyKey`. */
  readonly concurrencyLimit?: number
  /**
   * Not of Celery: what `concurrencyLimit` counts by: a name that tasks share, or made from the arguments; undefined: no
   * limit for this call. @default the task's name
   */
  readonly concurrencyKey?: LimitKey
  /** Not of Celery: a second call, while the first one waits or runs, is not sent. @default every call is sent */
  readonly unique?: UniqueOptions | boolean
  /** Seconds for which a message is good. */
  readonly expires?: number
  /** Serializer of its messages. @default the setting `taskSerializer` */
  readonly serializer?: string
  /** Compression of its messages. @default the setting `taskCompression` */
  readonly compression?: string
  /** Have workers send events of it, where they send any. @default true */
  readonly sendEvents?: boolean
  /** One line for lists of tasks and for the HTTP API's documentation. */
  readonly description?: string
}

/** A function of positional arguments, `def add(x, y)`. */
export interface PlainTaskOptions extends TaskOptions {
  readonly bind?: false
  readonly params?: undefined
  /** Names of the positional arguments; callers may then use keyword arguments, too. */
  readonly argNames?: readonly string[]
  /** Hand all remaining keyword arguments over as one object in last place, as `**kwargs`. */
  readonly kwargs?: boolean
}

/** The same with the task's context in first place, as Celery's `self`. */
export interface BoundTaskOptions extends Omit<PlainTaskOptions, 'bind'> {
  readonly bind: true
}

/** A function of one validated object; arguments bind to its keys in order or by name. */
export interface ParamsTaskOptions<Schema extends z.ZodObject> extends TaskOptions {
  readonly params: Schema
  readonly bind?: undefined
  readonly argNames?: undefined
  readonly kwargs?: undefined
}

export type AnyTaskOptions = PlainTaskOptions | BoundTaskOptions | ParamsTaskOptions<z.ZodObject>
