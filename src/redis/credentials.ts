import { describeValue } from '../errors.js'
import { RedisConnectError } from './errors.js'

/** How to log in to Redis. */
export interface RedisCredentials {
  /** @default the user `default` */
  readonly username?: string | undefined
  readonly password: string
  /** When they cease to be good. Connections that stand log in with new ones before that. @default never */
  readonly expiresAt?: Date | undefined
}

/**
 * Gets the credentials of the moment, for passwords that rotate and tokens that expire. Called for every connection
 * that is opened, and again before its credentials expire.
 */
export type CredentialsProvider = () => RedisCredentials | Promise<RedisCredentials>

/** @throws RedisConnectError where the provider fails, or returns something else. */
export async function fetchCredentials(provider: CredentialsProvider): Promise<RedisCredentials> {
  let found: unknown
  try {
    found = await provider()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw unavailable(`the provider of credentials failed: ${why}`, cause)
  }
  const { username, password, expiresAt } = (found ?? {}) as Readonly<Record<string, unknown>>
  if (typeof password !== 'string') {
    throw unavailable(`password of the provided credentials: expected a string, got ${typeof password}`)
  }
  if (username !== undefined && typeof username !== 'string') {
    throw unavailable(`username of the provided credentials: expected a string, got ${typeof username}`)
  }
  if (expiresAt !== undefined && !(expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime()))) {
    throw unavailable(
      `expiresAt of the provided credentials: expected a Date, got ${describeValue(expiresAt)}`,
    )
  }
  return { username, password, expiresAt }
}

function unavailable(message: string, cause?: unknown): RedisConnectError {
  return new RedisConnectError('CREDENTIALS_UNAVAILABLE', message, { cause })
}
