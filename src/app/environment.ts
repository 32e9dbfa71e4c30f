import { LovageError } from '../errors.js'
import { environmentVariables } from './environment-variables.js'
import { settingsOfVariables } from './environment-settings.js'
import type { CelerySettings } from './celery-settings.js'
import type { LogLevel } from '../log.js'
import type { z } from 'zod'

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
  /** Seconds for which metrics tell of workers that have gone; 0: for ever. `PURGE_OFFLINE_WORKER_METRICS` */
  readonly purgeOfflineWorkers: number
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
    settings: settingsOfVariables(values),
    api: {
      host: values.HOST,
      port: values.PORT,
      tokens: values.API_TOKENS,
      allowedTasks: values.API_ALLOWED_TASKS,
      purgeOfflineWorkers: values.PURGE_OFFLINE_WORKER_METRICS,
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

// A host as well, where a whole URL is a common slip.
const SECRET = /URL|BACKEND|REDIS_HOST|REDIS_ENDPOINT|PASSWORD|TOKENS|API_KEY|SECRETS/

function describeIssue(issue: z.core.$ZodIssue, texts: Partial<Record<string, string>>): string {
  const name = String(issue.path[0])
  if (issue.code === 'custom' && issue.params?.isWhole === true) return `${name}: ${issue.message}`
  const value = SECRET.test(name) ? 'something else' : JSON.stringify(texts[name])
  return `${name}: expected ${issue.message}, got ${value}`
}
