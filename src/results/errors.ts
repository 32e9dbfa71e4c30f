import { LovageError } from '../errors.js'

/** Thrown when a result is asked for, but the app has no result backend. Set `backend` to keep results. */
export class ResultBackendDisabledError extends LovageError {
  readonly code = 'RESULT_BACKEND_DISABLED'

  constructor() {
    super('this app keeps no results: no result backend is set (setting `backend`)')
  }
}
