import { z } from 'zod'
import { LovageError } from '../errors.js'
import { isTimezone, oneOf } from './settings-schema.js'
import type { TlsOptions } from '../redis/endpoint.js'
import { parseRedisUrl } from '../redis/url.js'
import type { CelerySettings } from './settings.js'
import type { LogLevel } from '../log.js'

/** What the service and the command take from environment variables. */
export interface Environment {
  readonly settings: CelerySettings
  readonly api: ApiEnvironment
  readonly notifications: NotificationsEnvironment
  /** Where finished reports are written. `ARTIFACT_DIR` */
  readonly artifactDir: string
  /** Directories whose files a report may read, beside uploads. `REPORT_SOURCE_DIRS` @default 'data' */
  readonly sourceDirs: readonly string[]
  readonly log: { readonly level: LogLevel; readonly format: 'json' | 'pretty' }
}

export interface ApiEnvironment {
  readonly host: string
  readonly port: number
  /** Empty: only requests from this machine are answered. */
  readonly tokens: readonly string[]
  /** Tasks that callers may send besides the bundled ones; `*` stands for any text. `API_ALLOWED_TASKS` */
  readonly allowedTasks: readonly string[]
  readonly rateLimits: { readonly isEnabled: boolean; readonly perMinute: number; readonly perHour: number }
}

export interface NotificationsEnvironment {
  readonly sendgridApiKey: string | undefined
  readonly sendgridBaseUrl: string | undefined
  readonly mailDefaultSender: string | undefined
  readonly slackWebhookUrl: string | undefined
}

/** Thrown when variables cannot be used. The message has one line for each fault, without secrets. */
export class EnvironmentError extends LovageError {
  readonly code = 'INVALID_ENVIRONMENT'
  /** `PORT: expected an integer from 0 to 65535, got "http"` */
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`invalid environment:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.faults = faults
  }
}

/**
 * Read `.env` into `process.env`, where it exists. What is set already stays.
 *
 * @throws EnvironmentError when the file is there and cannot be read.
 */
export function loadDotEnv(file = '.env'): void {
  try {
    process.loadEnvFile(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new EnvironmentError([`${file}: ${message}`])
  }
}

/**
 * Read and check all variables at once. Empty ones count as unset, and `${NAME}` within a value stands for the
 * value of that variable.
 *
 * @throws EnvironmentError
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const faults: string[] = []
  const texts: Partial<Record<string, string>> = {}
  for (const name of Object.keys(environmentVariables.shape)) {
    try {
      texts[name] = expand(env, name, [])
    } catch (error) {
      if (!(error instanceof EnvironmentError)) throw error
      faults.push(...error.faults)
    }
  }
  const parsed = environmentVariables.safeParse(texts)
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => describeIssue(issue, texts)))
  if (!parsed.success || faults.length > 0) throw new EnvironmentError(faults)
  const values = parsed.data
  return {
    settings: readSettings(values),
    api: {
      host: values.HOST,
      port: values.PORT,
      tokens: values.API_TOKENS,
      allowedTasks: values.API_ALLOWED_TASKS,
      rateLimits: {
        isEnabled: values.FEATURE_RATE_LIMITS,
        perMinute: values.RATE_LIMIT_PER_MINUTE,
        perHour: values.RATE_LIMIT_PER_HOUR,
      },
    },
    notifications: {
      sendgridApiKey: values.SENDGRID_API_KEY,
      sendgridBaseUrl: values.SENDGRID_BASE_URL,
      mailDefaultSender: values.MAIL_DEFAULT_SENDER,
      slackWebhookUrl: values.SLACK_WEBHOOK_URL,
    },
    artifactDir: values.ARTIFACT_DIR,
    sourceDirs: values.REPORT_SOURCE_DIRS,
    log: { level: values.LOG_LEVEL, format: values.LOG_FORMAT },
  }
}

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
const redisUrl = z.string().superRefine((url, context) => {
  try {
    parseRedisUrl(url)
  } catch (error) {
    if (!(error instanceof LovageError)) throw error
    context.addIssue({ code: 'custom', message: error.message, params: { isWhole: true } })
  }
})

/** Celery's name for a result backend that keeps nothing. */
const NO_BACKEND = ['disabled', 'disabled://']
const LEVELS: Readonly<Record<string, LogLevel>> = { warning: 'warn', critical: 'fatal' }

/** What each variable may hold, and what a missing one stands for. */
export const environmentVariables = z.object({
  CELERY_BROKER_URL: redisUrl.optional(),
  CELERY_RESULT_BACKEND: z.union([z.enum(NO_BACKEND), redisUrl]).optional(),
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
  CELERY_WORKER_CONCURRENCY: integer(1, 1_000_000).optional(),
  CELERY_WORKER_PREFETCH_MULTIPLIER: integer(0, 1_000_000).optional(),
  MESSAGE_SECRETS: commaSeparated.optional(),
  CELERY_TIMEZONE: z.string().refine(isTimezone, 'an IANA time zone such as Europe/Berlin').optional(),

  PORT: integer(0, 65535).default(8000),
  HOST: z.string().default('127.0.0.1'),
  API_TOKENS: commaSeparated.default([]),
  API_ALLOWED_TASKS: commaSeparated.default([]),
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

type Values = z.output<typeof environmentVariables>

// A host as well, where a whole URL is a common slip.
const SECRET = /URL|BACKEND|REDIS_HOST|REDIS_ENDPOINT|PASSWORD|TOKENS|API_KEY|SECRETS/

function describeIssue(issue: z.core.$ZodIssue, texts: Partial<Record<string, string>>): string {
  const name = String(issue.path[0])
  if (issue.code === 'custom' && issue.params?.isWhole === true) return `${name}: ${issue.message}`
  const value = SECRET.test(name) ? 'something else' : JSON.stringify(texts[name])
  return `${name}: expected ${issue.message}, got ${value}`
}

function readSettings(values: Values): CelerySettings {
  const shared = values.REDIS_URL ?? urlOfParts(values)
  const broker = values.CELERY_BROKER_URL ?? shared
  // The API tells of results, so without a place of their own they are kept where the messages are.
  const backend = values.CELERY_RESULT_BACKEND ?? shared ?? broker
  const sentinel = {
    masterName: values.REDIS_SENTINEL_MASTER,
    sentinelKwargs:
      values.REDIS_SENTINEL_PASSWORD === undefined ? undefined : { password: values.REDIS_SENTINEL_PASSWORD },
  }
  return {
    broker,
    backend: backend !== undefined && NO_BACKEND.includes(backend) ? undefined : backend,
    brokerUseSsl: tlsOptions(values, broker),
    redisBackendUseSsl: tlsOptions(values, backend),
    brokerTransportOptions: {
      ...sentinel,
      globalKeyprefix: values.REDIS_KEY_PREFIX,
      visibilityTimeout: values.CELERY_VISIBILITY_TIMEOUT,
      socketTimeout: values.REDIS_SOCKET_TIMEOUT,
    },
    resultBackendTransportOptions: { ...sentinel, globalKeyprefix: values.REDIS_KEY_PREFIX },
    redisSocketTimeout: values.REDIS_SOCKET_TIMEOUT,
    resultExpires: values.CELERY_RESULT_EXPIRES,
    taskDefaultQueue: values.CELERY_TASK_DEFAULT_QUEUE,
    taskAcksLate: values.CELERY_TASK_ACKS_LATE,
    workerConcurrency: values.CELERY_WORKER_CONCURRENCY,
    workerPrefetchMultiplier: values.CELERY_WORKER_PREFETCH_MULTIPLIER,
    messageSecrets: values.MESSAGE_SECRETS,
    timezone: values.CELERY_TIMEZONE,
  }
}

/** Undefined where none of the parts is given. */
function urlOfParts(values: Values): string | undefined {
  const { REDIS_HOST, REDIS_ENDPOINT, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB, REDIS_SSL } =
    values
  const parts = [REDIS_HOST, REDIS_ENDPOINT, REDIS_PORT, REDIS_USERNAME, REDIS_PASSWORD, REDIS_DB, REDIS_SSL]
  if (parts.every((part) => part === undefined)) return undefined
  const host = REDIS_HOST ?? REDIS_ENDPOINT ?? 'localhost'
  const isBareIPv6 = /^[^[]*:.*:/.test(host)
  const authority = isBareIPv6 ? `[${host}]` : host
  const hasPort = /:\d+$/.test(authority)
  const user = REDIS_USERNAME === undefined ? '' : encodeURIComponent(REDIS_USERNAME)
  const password = REDIS_PASSWORD === undefined ? '' : `:${encodeURIComponent(REDIS_PASSWORD)}`
  const credentials = user === '' && password === '' ? '' : `${user}${password}@`
  const port = hasPort && REDIS_PORT === undefined ? '' : `:${REDIS_PORT ?? 6379}`
  const where = hasPort && port !== '' ? authority.replace(/:\d+$/, '') : authority
  return `${REDIS_SSL === true ? 'rediss' : 'redis'}://${credentials}${where}${port}/${REDIS_DB ?? 0}`
}

function tlsOptions(values: Values, url: string | undefined): TlsOptions | undefined {
  if (url === undefined || /^(?:memory|unix|redis\+socket|disabled)\b/.test(url)) return undefined
  if (values.REDIS_SSL !== true && !url.startsWith('rediss')) return undefined
  return {
    sslCertReqs: values.REDIS_SSL_CERT_REQS,
    sslCaCerts: values.REDIS_SSL_CA_CERTS,
    sslCertfile: values.REDIS_SSL_CERTFILE,
    sslKeyfile: values.REDIS_SSL_KEYFILE,
  }
}

function expand(env: NodeJS.ProcessEnv, name: string, within: readonly string[]): string | undefined {
  const text = env[name]?.trim()
  if (text === undefined || text === '') return undefined
  const path = [...within, name]
  return text.replace(/\$\{(\w+)\}/g, (reference, other: string) => {
    if (path.includes(other)) throw new EnvironmentError([`${path[0]}: ${reference} refers to itself`])
    const value = expand(env, other, path)
    if (value === undefined) throw new EnvironmentError([`${path[0]}: ${reference} is not set`])
    return value
  })
}

function isWebUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}
