import type { Celery } from '../app/celery.js'
import { loadDotEnv, readEnvironment, type Environment } from '../app/environment.js'
import { createLog, silentLog, type Log } from '../log.js'
import { createService, traceWhereRegistered } from '../service.js'
import { UsageError } from './errors.js'
import { importNamed, loadApp } from './load-app.js'

/** Celery's global flags, and `-l` of the commands that have it. */
export interface AppFlags {
  readonly app?: string
  readonly broker?: string
  readonly resultBackend?: string
  readonly loglevel?: string
  readonly quiet?: boolean
  /** Celery's `-I` of a worker: modules that are loaded beside the app's. */
  readonly include?: readonly string[]
}

/** By which children of a worker learn of `-I`. */
const INCLUDE_VARIABLE = 'LOVAGE_INCLUDE'

/** Celery's `--workdir`. @throws UsageError */
export function changeDirectory(directory: string): void {
  try {
    process.chdir(directory)
  } catch (error) {
    throw new UsageError(`--workdir ${directory}: ${(error as Error).message}`, { cause: error })
  }
}

export interface OpenedApp {
  readonly app: Celery
  readonly log: Log
  /** What a worker consumes, and `purge` empties, unless told otherwise. */
  readonly queues: readonly string[]
  readonly logFormat: 'json' | 'pretty'
  /** With what the flags say, for children of this process: what they open without any flags is this same app. */
  readonly env: NodeJS.ProcessEnv
}

/** Environment variables with what flags say. @throws EnvironmentError */
export function readAppEnvironment(flags: AppFlags): {
  readonly env: NodeJS.ProcessEnv
  readonly environment: Environment
} {
  loadDotEnv()
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...(flags.broker === undefined ? {} : { CELERY_BROKER_URL: flags.broker }),
    ...(flags.resultBackend === undefined ? {} : { CELERY_RESULT_BACKEND: flags.resultBackend }),
    ...(flags.loglevel === undefined ? {} : { LOG_LEVEL: flags.loglevel }),
    ...(flags.app === undefined ? {} : { CELERY_APP: flags.app }),
    ...(flags.include === undefined ? {} : { [INCLUDE_VARIABLE]: flags.include.join(',') }),
  }
  return { env, environment: readEnvironment(env) }
}

/**
 * The app that `-A` (or `CELERY_APP`) names, else the one of the bundled service.
 *
 * As in Celery, `-b`, `--result-backend` and their environment variables win over what the app was made with.
 *
 * @param role - stands on every line of the log.
 * @throws UsageError, EnvironmentError, SettingsError
 */
export async function openApp(flags: AppFlags, role: string): Promise<OpenedApp> {
  const { env, environment } = readAppEnvironment(flags)
  const logFormat = environment.log.format
  const module = env.CELERY_APP || undefined
  const included = env[INCLUDE_VARIABLE]?.split(',') ?? []
  if (module === undefined) {
    if (included.length > 0)
      throw new UsageError('-I: modules are included beside that of -A, which is missing')
    const service = createService(environment, role)
    await traceWhereRegistered(service.app)
    return { ...service, logFormat, env }
  }

  const app = await loadApp(module)
  for (const name of included) await importNamed(`-I ${name}`, name)
  const { broker, backend } = environment.settings
  if (env.CELERY_BROKER_URL) app.configure({ broker })
  if (env.CELERY_RESULT_BACKEND) app.configure({ backend })
  // A library is silent; a command is not.
  if (app.log === silentLog)
    app.configure({ log: createLog({ ...environment.log, fields: { process: role } }) })
  const { taskQueues, taskDefaultQueue } = app.settings
  return { app, log: app.log, queues: taskQueues ?? [taskDefaultQueue], logFormat, env }
}
