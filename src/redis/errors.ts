import { LovageError } from '../errors.js'

/** Thrown for a Redis URL that cannot be read, naming its faulty part; never its password. */
export class InvalidRedisUrlError extends LovageError {
  readonly code = 'INVALID_REDIS_URL'
}

/** Thrown for a TLS file that cannot be read and for settings that do not go together. Nothing was connected. */
export class InvalidRedisOptionsError extends LovageError {
  readonly code = 'INVALID_REDIS_OPTIONS'
}

/**
 * Thrown when Redis could not be reached in time, or the connection was closed on purpose.
 *
 * The client goes on trying to connect, so asking again later may help; `cause` is what went wrong last.
 */
export class RedisUnavailableError extends LovageError {
  readonly code = 'REDIS_UNAVAILABLE'
}
