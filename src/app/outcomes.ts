import { LovageError } from '../errors.js'
import type { SignatureData } from '../canvas/signature-data.js'

/**
 * Thrown by a task that wants to be run again; `task.retry()` makes one. Celery's `Retry`.
 */
export class Retry extends LovageError {
  readonly code = 'RETRY'
  /** When to run again; undefined: at once. */
  readonly when: Date | undefined
  readonly args: readonly unknown[] | undefined
  readonly kwargs: Readonly<Record<string, unknown>> | undefined

  constructor(
    when: Date | undefined,
    options: ErrorOptions & {
      readonly args?: readonly unknown[] | undefined
      readonly kwargs?: Readonly<Record<string, unknown>> | undefined
    } = {},
  ) {
    super(`to be retried ${when === undefined ? 'at once' : `at ${when.toISOString()}`}`, options)
    this.when = when
    this.args = options.args
    this.kwargs = options.kwargs
  }
}

/** Thrown by a task that ends without a result or state; `task.ignore()` makes one. Celery's `Ignore`. */
export class Ignore extends LovageError {
  readonly code = 'IGNORE'

  constructor() {
    super('the task ends without a result')
  }
}

/** Thrown by a task that refuses its message; `task.reject()` makes one. Celery's `Reject`. */
export class Reject extends LovageError {
  readonly code = 'REJECT'
  readonly requeue: boolean

  constructor(reason: string, options: { readonly requeue: boolean }) {
    super(reason)
    this.requeue = options.requeue
  }
}

/** Thrown by a task that hands over to another call under its own id; `task.replace()` makes one. */
export class Replace extends LovageError {
  readonly code = 'REPLACE'
  readonly signature: SignatureData

  constructor(signature: SignatureData) {
    super(`replaced by ${signature.task}`)
    this.signature = signature
  }
}

/** The failure of a task that asked for another retry after its last one. */
export class MaxRetriesExceededError extends LovageError {
  readonly code = 'MAX_RETRIES_EXCEEDED'
}

/** The failure of a message whose task this worker does not know. */
export class NotRegistered extends LovageError {
  readonly code = 'NOT_REGISTERED'
}

/** The reason a task's signal aborts with when its soft time limit is over. */
export class SoftTimeLimitExceeded extends LovageError {
  readonly code = 'SOFT_TIME_LIMIT_EXCEEDED'
  /** What is stored as the exception's arguments: none, as in Celery. */
  readonly excMessage: readonly unknown[] = []

  constructor(seconds: number) {
    super(`the task ran for more than its soft time limit of ${seconds} s`)
  }
}

/** The failure of a task that went on past its time limit. */
export class TimeLimitExceeded extends LovageError {
  readonly code = 'TIME_LIMIT_EXCEEDED'
  /** What is stored as the exception's arguments: the limit in seconds, as in Celery. */
  readonly excMessage: readonly unknown[]

  constructor(seconds: number) {
    super(`the task ran for more than its time limit of ${seconds} s`)
    this.excMessage = [seconds]
  }
}

/** The failure of a task whose child of the pool took more memory than `workerHardMemoryLimit` while it ran. */
export class MemoryLimitExceeded extends LovageError {
  readonly code = 'MEMORY_LIMIT_EXCEEDED'

  constructor(kib: number) {
    super(
      `the child of the pool that ran the task took more than ${kib} KiB of memory (workerHardMemoryLimit)`,
    )
  }
}

/** The reason a task's signal aborts with when it is terminated. */
export class TaskRevokedError extends LovageError {
  readonly code = 'TASK_REVOKED'
}

/** The failure of a task whose child of the pool died while it ran. */
export class WorkerLostError extends LovageError {
  readonly code = 'WORKER_LOST'
}
