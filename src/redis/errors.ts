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

/** Why one attempt to connect failed, found as the `cause` of a {@link RedisUnavailableError} and in the log. */
export class RedisConnectError extends LovageError {
  readonly code:
    | 'CONNECT_TIMEOUT'
    | 'BROKEN_OFF'
    | 'TURNED_AWAY'
    | 'CREDENTIALS_UNAVAILABLE'
    | 'LOGIN_REFUSED'
    | 'DATABASE_REFUSED'
    | 'NO_PRIMARY'
    | 'NOT_A_PRIMARY'
    | 'TLS_UNTRUSTED_CERTIFICATE'
    | 'TLS_OTHER_HOST'
    | 'TLS_EXPIRED_CERTIFICATE'
    | 'TLS_CLIENT_CERTIFICATE'
    | 'TLS_VERSION'
    | 'TLS_NOT_SPOKEN'

  constructor(code: RedisConnectError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
