import { ApiError } from './api-error.js'
import {
  InvalidParamsError,
  PublishError,
  ResultBackendDisabledError,
  UniqueConflictError,
} from '../index.js'
import { RedisUnavailableError } from '../redis/errors.js'
import { UnreadableResultError } from '../serialization/errors.js'

const TRY_AGAIN = { 'retry-after': '1' }

/** Codes of what goes wrong before a route is reached. */
const CODES: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  404: 'NOT_FOUND',
  406: 'NOT_ACCEPTABLE',
  408: 'REQUEST_TIMEOUT',
  413: 'BODY_TOO_LARGE',
  414: 'URL_TOO_LONG',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  431: 'HEADERS_TOO_LARGE',
  503: 'UNAVAILABLE',
}

/** What to answer for anything thrown. Of an unexpected error it tells nothing. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof InvalidParamsError) {
    return new ApiError(400, error.code, error.message, { details: error.faults, cause: error })
  }
  if (error instanceof UniqueConflictError) {
    return new ApiError(409, error.code, error.message, { details: { task_id: error.taskId }, cause: error })
  }
  if (error instanceof PublishError) {
    const hint = error.mayHaveBeenSent ? 'it may have been sent' : 'it was not sent'
    return new ApiError(503, error.code, `the broker did not take the message in time; ${hint}`, {
      details: { may_have_been_sent: error.mayHaveBeenSent },
      headers: TRY_AGAIN,
      cause: error,
    })
  }
  if (error instanceof ResultBackendDisabledError) {
    return new ApiError(501, error.code, 'this service keeps no results: no result backend is set', {
      cause: error,
    })
  }
  if (error instanceof RedisUnavailableError || isConnectionError(error)) {
    return new ApiError(503, 'REDIS_UNAVAILABLE', 'Redis cannot be reached', {
      headers: TRY_AGAIN,
      cause: error,
    })
  }
  if (error instanceof UnreadableResultError) {
    return new ApiError(500, error.code, 'what is stored as the result cannot be read', { cause: error })
  }
  const status = clientErrorStatus(error)
  if (status === undefined) return new ApiError(500, 'INTERNAL_ERROR', 'internal error', { cause: error })
  return new ApiError(status, CODES[status] ?? 'BAD_REQUEST', (error as Error).message, { cause: error })
}

/** Fastify's own errors carry the status; their messages name no internals. */
function clientErrorStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || !('code' in error)) return undefined
  const { statusCode, code } = error
  if (typeof code !== 'string' || !code.startsWith('FST_')) return undefined
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined
}

/** A connection that broke while a command was under way, and answers of a server that starts or fails over. */
function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'ReplyError')
    return /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|OOM)/.test(error.message)
  return /^Connection is closed|^Stream isn't writeable|^Command timed out/.test(error.message)
}
