import { z } from 'zod'
import { isTimezone, oneOf, passes } from './settings-schema.js'
import { POOL_NAMES } from './pool-kinds.js'
import { parseRedisUrl } from '../redis/url.js'
import type { LogLevel } from '../log.js'

// As in the settings' schema, the message of each part is what it expects.
function integer(least: number, most: number): z.ZodType<number, string> {
  const expected = `an integer from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,15}$/, expected)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected)
}

function numberOfSeconds(isAllowed: (value: number) => boolean, expected: string): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d+(?:\.\d+)?$/, expected)
    .transform(Number)
    .refine(isAllowed, expected)
}

const moreThanZero = numberOfSeconds((value) => value > 0, 'seconds, more than 0')
const flag = z.stringbool({
  truthy: ['true', '1', 'yes', 'on'],
  falsy: ['false', '0', 'no', 'off'],
  error: 'true or false',
})
const commaSeparated = z.string().transform((text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
)
const host = z.string().regex(/^[^\s/@?#;,]+$/, 'a host, or host:port')
const webUrl = z.string().refine(isWebUrl, 'an http or https URL')
const redisUrl = z.string().check(passes(parseRedisUrl))

/** Celery's name for a result backend that keeps nothing. */
export const NO_BACKEND: readonly string[] = ['disabled', 'disabled://']
const LEVELS: Readonly<Record<string, LogLevel>> = { warning: 'warn', critical: 'fatal' }

/** What each variable may hold, and what a missing one stands for. */
export const environmentVariables = z.object({
  CELERY_BROKER_URL: redisUrl.optional(),
  CELERY_RESULT_BACKEND: z
    .string()
    .check(passes((url) => NO_BACKEND.includes(url) || parseRedisUrl(url)))
    .optional(),
  REDIS_URL: redisUrl.optional(),
  REDIS_HOST: host.optional(),
  REDIS_ENDPOINT: host.optional(),
  REDIS_PORT: integer(1, 65535).optional(),
  REDIS_USERNAME: z.string().optional(),
  REDIS_PASSWORD: z.string().optional(),
  REDIS_DB: integer(0, 1_000_000).optional(),
  REDIS_SSL: flag.optional(),
  REDIS_SSL_CERT_REQS: z
    .string()
    .transform((text) => text.toLowerCase().replace(/^cert_/, ''))
    .pipe(oneOf('required', 'optional', 'none'))
    .optional(),
  REDIS_SSL_CA_CERTS: z.string().optional(),
  REDIS_SSL_CERTFILE: z.string().optional(),
  REDIS_SSL_KEYFILE: z.string().optional(),
  REDIS_SENTINEL_MASTER: z.string().optional(),
  REDIS_SENTINEL_PASSWORD: z.string().optional(),
  REDIS_SOCKET_TIMEOUT: moreThanZero.optional(),
  // The next two are checked and have no effect: each process has few connections and always opens them again.
  REDIS_RETRY_ON_TIMEOUT: flag.optional(),
  REDIS_MAX_CONNECTIONS: integer(1, 1_000_000).optional(),
  REDIS_KEY_PREFIX: z.string().default(''),

  CELERY_RESULT_EXPIRES: numberOfSeconds(() => true, 'seconds, 0 for ever').optional(),
  CELERY_VISIBILITY_TIMEOUT: moreThanZero.optional(),
  CELERY_TASK_DEFAULT_QUEUE: z.string().optional(),
  CELERY_TASK_ACKS_LATE: flag.optional(),
  CELERY_WORKER_POOL: z.enum(POOL_NAMES, `one of ${POOL_NAMES.join(', ')}`).optional(),
  CELERY_WORKER_CONCURRENCY: integer(1, 1_000_000).optional(),
  CELERY_WORKER_PREFETCH_MULTIPLIER: integer(0, 1_000_000).optional(),
  CELERY_WORKER_MAX_TASKS_PER_CHILD: integer(1, 999_999_999).optional(),
  CELERY_WORKER_MAX_MEMORY_PER_CHILD: integer(1, 999_999_999_999).optional(),
  CELERY_TASK_TIME_LIMIT: moreThanZero.optional(),
  CELERY_TASK_SOFT_TIME_LIMIT: moreThanZero.optional(),
  MESSAGE_SECRETS: commaSeparated.optional(),
  CELERY_TIMEZONE: z.string().refine(isTimezone, 'an IANA time zone such as Europe/Berlin').optional(),

  PORT: integer(0, 65535).default(8000),
  HOST: z.string().default('127.0.0.1'),
  API_TOKENS: commaSeparated.default([]),
  API_ALLOWED_TASKS: commaSeparated.default([]),
  PURGE_OFFLINE_WORKER_METRICS: integer(0, 1_000_000_000).default(600),
  RATE_LIMIT_PER_MINUTE: integer(1, 1_000_000_000).default(20),
  RATE_LIMIT_PER_HOUR: integer(1, 1_000_000_000).default(200),
  FEATURE_RATE_LIMITS: flag.default(true),

  SENDGRID_API_KEY: z.string().optional(),
  SENDGRID_BASE_URL: webUrl.optional(),
  MAIL_DEFAULT_SENDER: z.string().includes('@', 'an e-mail address').optional(),
  SLACK_WEBHOOK_URL: webUrl.optional(),

  ARTIFACT_DIR: z.string().default('.lovage/artifacts'),
  REPORT_SOURCE_DIRS: commaSeparated.default(['data']),
  LOG_LEVEL: z
    .string()
    .transform((text) => LEVELS[text.toLowerCase()] ?? text.toLowerCase())
    .pipe(oneOf('fatal', 'error', 'warn', 'info', 'debug', 'silent'))
    .default('info'),
  LOG_FORMAT: oneOf('json', 'pretty').default('json'),
})

export type Variables = z.output<typeof environmentVariables>

function isWebUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}
