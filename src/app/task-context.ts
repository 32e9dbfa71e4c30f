import type { Log } from '../log.js'
import type { AnySignature } from '../canvas/signature-types.js'
import type { AsyncResult } from '../results/async-result.js'
import type { Ignore, Reject, Replace, Retry } from './outcomes.js'

/** What a task may know of the message it runs for; Celery's `self.request`. */
export interface TaskRequest {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Retries so far. */
  readonly retries: number
  readonly eta: Date | undefined
  readonly expires: Date | undefined
  readonly rootId: string
  readonly parentId: string | undefined
  readonly group: string | undefined
  readonly groupIndex: number | undefined
  /** The caller's own headers. */
  readonly headers: Readonly<Record<string, unknown>>
  /** Stamps by their names. */
  readonly stamps: Readonly<Record<string, unknown>>
  readonly deliveryInfo: {
    readonly exchange: string
    readonly routingKey: string
    readonly priority: number
  }
  /** Name of the node that runs it. */
  readonly hostname: string
  readonly isRedelivered: boolean
}

export interface RetryOptions {
  /** Seconds from now. @default the task's `defaultRetryDelay`, 180 */
  readonly countdown?: number
  readonly eta?: Date
  /** @default the task's `maxRetries` */
  readonly maxRetries?: number | null
  /** What went wrong: stored with RETRY, and as the failure when no retry is left. */
  readonly cause?: unknown
  /** Replace the arguments. */
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
}

/** What a running task has in hand; Celery's `self`. */
export interface TaskContext {
  readonly request: TaskRequest
  /** Aborts when the soft time limit is over (reason `SoftTimeLimitExceeded`) or the worker has to stop. */
  readonly signal: AbortSignal
  /** Lines carry the task's id and name. */
  readonly log: Log
  /** Store a state of the task's own, such as PROGRESS, with what `AsyncResult.info()` returns then. */
  updateState(state: string, info?: unknown): Promise<void>
  /**
   * Send an event of the task's own, such as `task-progress`, with its id as `uuid`. Monitors get it whether or not task
   * events are on.
   *
   * @throws InvalidArgumentError for the type, EncodeError for the fields.
   */
  sendEvent(type: string, fields?: Readonly<Record<string, unknown>>): Promise<void>
  /**
   * Makes the error to throw for another try: `throw task.retry({ countdown: 10 })`. Where none is left it is
   * the cause, or a MaxRetriesExceededError.
   *
   * @throws InvalidArgumentError for options that are none.
   */
  retry(options?: RetryOptions): Retry | Error
  /**
   * Makes the error to throw to hand over to another call: `throw task.replace(add.s(1, 2))`. It runs under this
   * task's id, in its place in a chain, group or chord, and with its callbacks. A group's results become a list.
   */
  replace(signature: AnySignature): Replace
  /**
   * Have the chord of which this task is a part wait for another call as well, and send that.
   *
   * @throws InvalidSignatureError where this task is no part of a chord.
   */
  addToChord(signature: AnySignature): Promise<AsyncResult>
  /** Makes the error to throw for an end without result. */
  ignore(): Ignore
  /** Makes the error to throw to refuse the message: back to the end of its queue, or to the dead letters. */
  reject(reason: string, options?: { readonly requeue: boolean }): Reject
}
