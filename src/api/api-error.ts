import { LovageError } from '../errors.js'

export interface ApiErrorOptions extends ErrorOptions {
  /** More for programs to act on; becomes `error.details` of the answer. */
  readonly details?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Thrown by a route to answer with an error. All of it but the cause is shown to the caller. */
export class ApiError extends LovageError {
  readonly status: number
  readonly code: string
  readonly details: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, options: ApiErrorOptions = {}) {
    super(message, options)
    this.status = status
    this.code = code
    this.details = options.details
    this.headers = options.headers ?? {}
  }
}

/** One thing wrong with a request. */
export interface Fault {
  /** Where: `body.countdown`, `body.link[0].task`, `querystring.wait`. */
  readonly path: string
  readonly message: string
}

/** The answer to a request with faults: 400 `INVALID_REQUEST` with all of them. */
export function invalidRequest(faults: readonly Fault[]): ApiError {
  const lines = faults.map(({ path, message }) => `${path}: ${message}`)
  return new ApiError(400, 'INVALID_REQUEST', lines.join('; '), { details: faults })
}
