import { LovageError } from '../errors.js'

/** Thrown when a command was not given what it needs; its message is all that is printed. */
export class UsageError extends LovageError {
  readonly code = 'WRONG_USAGE'
}

/** Thrown when nobody has replied: exit code 69, as Celery's. */
export class NoNodeReplied extends LovageError {
  readonly code = 'NO_NODE_REPLIED'
}

/** Thrown when a pid file says that the same runs already: exit code 73, as Celery's. */
export class AlreadyRunsError extends LovageError {
  readonly code = 'ALREADY_RUNS'
}

/** Thrown when a command has done what it could, and it was not enough. */
export class CommandFailedError extends LovageError {
  readonly code = 'COMMAND_FAILED'
}
