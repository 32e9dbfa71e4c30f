import { LovageError, TimeoutError } from '../errors.js'

/** Thrown when a result is asked for, but the app has no result backend. Set `backend` to keep results. */
export class ResultBackendDisabledError extends LovageError {
  readonly code = 'RESULT_BACKEND_DISABLED'

  constructor() {
    super('this app keeps no results: no result backend is set (setting `backend`)')
  }
}

/** Why a result cannot be stored as it is; its task fails with this instead. */
export class ResultTooLargeError extends LovageError {
  readonly code = 'RESULT_TOO_LARGE'

  constructor(bytes: number, limit: number) {
    super(`the result has ${bytes} bytes, and the setting resultMaxBytes allows ${limit}`)
  }
}

/** Thrown when the backend refuses a result, or one of several, and would do so again. Nothing of them is stored. */
export class ResultRefusedError extends LovageError {
  readonly code = 'RESULT_REFUSED'
}

/** Thrown when the backend has no room. Nothing was stored; trying again later may help. */
export class ResultBackendFullError extends LovageError {
  readonly code = 'RESULT_BACKEND_FULL'
}

/**
 * Thrown when a task waits for the result of another: it holds its slot meanwhile, and tasks that wait for each other can
 * fill all slots of all workers. A link, a chain or a chord does without; else allow it (`allowInTask`).
 */
export class GetInsideTaskError extends LovageError {
  readonly code = 'GET_INSIDE_TASK'

  constructor() {
    super(
      'a task must not wait for the result of another; use a chain or a chord, or allow it with allowInTask',
    )
  }
}

/** Thrown when members of a group are asked for that was restored by its id, and nothing is stored under that. */
export class GroupNotFoundError extends LovageError {
  readonly code = 'GROUP_NOT_FOUND'

  constructor(groupId: string) {
    super(`group ${groupId} is not known: it was never saved (GroupResult.save), was deleted, or has expired`)
  }
}

/** Thrown when a task was not ready in time. The task itself goes on. */
export class ResultTimeoutError extends TimeoutError {
  /**
   * What is stored; undefined where nothing is. Celery stores nothing of a task that waits, nor, unless told to
   * (`taskTrackStarted`), of one that runs, so it may as well have been sent by nobody.
   */
  readonly state: string | undefined

  constructor(taskId: string, timeoutMs: number, state: string | undefined) {
    const why =
      state === undefined
        ? 'nothing is stored of it: it waits or runs, keeps no result, its result has expired, or it was never sent'
        : `it is ${state}`
    super(`task ${taskId} was not ready within ${timeoutMs} ms: ${why}`)
    this.state = state
  }
}
