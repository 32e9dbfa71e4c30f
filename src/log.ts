import { pino, type LoggerOptions } from 'pino'
import { hasColours } from './has-colours.js'

/** The few methods of a logger that Lovage calls; pino's, and any logger's of the same shape. */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
  /** Whether lines of a level are written at all: spares making them on hot paths. */
  isLevelEnabled(level: string): boolean
  child(fields: Record<string, unknown>): Log
}

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'silent'

export interface LogOptions {
  /** @default 'info' */
  readonly level?: LogLevel
  /** `json`, one object a line, for machines; `pretty` for people. @default 'json' */
  readonly format?: 'json' | 'pretty'
  /** Fields on every line, such as `{ process: 'worker' }`. */
  readonly fields?: Record<string, unknown>
  /** Where lines of JSON go. @default standard output */
  readonly destination?: { write(line: string): void }
}

const SECRETS = ['password', 'token', 'authorization', 'apiKey', 'api_key', 'secret']

/**
 * A logger that writes to standard output, with the values of fields that name a secret replaced, at the top and one
 * level below.
 */
export function createLog(options: LogOptions = {}): Log {
  const { level = 'info', format = 'json', fields = {}, destination } = options
  const written = pinoOptions(level, format, fields)
  return destination === undefined ? pino(written) : pino(written, destination)
}

function pinoOptions(
  level: LogLevel,
  format: 'json' | 'pretty',
  fields: Record<string, unknown>,
): LoggerOptions {
  return {
    level,
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: describeError },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    // Lines are made pretty by a thread, which what is silent has no need of.
    ...(format === 'pretty' && level !== 'silent'
      ? {
          transport: {
            target: 'pino-pretty',
            options: {
              translateTime: 'SYS:HH:MM:ss.l',
              ignore: 'pid,hostname',
              colorize: hasColours(process.stdout),
            },
          },
        }
      : {}),
  }
}

/**
 * An error for the log. Of its own fields only `code` is shown: errors of Redis carry the command that failed
 * with its arguments, which may be a message's content or a password.
 */
function describeError(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown
  const { name, message, stack } = thrown
  const code = 'code' in thrown ? { code: thrown.code } : {}
  const cause = thrown.cause === undefined ? {} : { cause: describeError(thrown.cause) }
  const shownStack = stack === undefined ? {} : { stack: redactUrls(stack) }
  return { type: name, message: redactUrls(message), ...code, ...shownStack, ...cause }
}

/** A logger that says nothing: the library's default, since a library should not print. */
export const silentLog: Log = createLog({ level: 'silent' })

const CREDENTIALS_IN_URL = /(\w+:\/\/)[^\s/@]*@/g

/** `text` with the user and password of every URL in it replaced by `***`. */
export function redactUrls(text: string): string {
  return text.replace(CREDENTIALS_IN_URL, '$1***@')
}
