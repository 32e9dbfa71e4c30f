import { LovageError } from '../errors.js'

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
