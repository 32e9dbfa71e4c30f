import type { Celery } from '../app/celery.js'
import { loadDotEnv, readEnvironment } from '../app/environment.js'
import { createLog, silentLog, type Log } from '../log.js'
import { createService } from '../service.js'
import { loadApp } from './load-app.js'

/** Celery's global flags, and `-l` of the commands that have it. */
export interface AppFlags {
  readonly app?: string
  readonly broker?: string
  readonly resultBackend?: string
  readonly loglevel?: string
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

/**
 * The app that `-A` (or `CELERY_APP`) names, else the one of the bundled service.
 *
 * As in Celery, `-b`, `--result-backend` and their environment variables win over what the app was made with.
 *
 * @param role - stands on every line of the log.
 * @throws UsageError, EnvironmentError, SettingsError
 */
export async function openApp(flags: AppFlags, role: string): Promise<OpenedApp> {
  loadDotEnv()
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...(flags.broker === undefined ? {} : { CELERY_BROKER_URL: flags.broker }),
    ...(flags.resultBackend === undefined ? {} : { CELERY_RESULT_BACKEND: flags.resultBackend }),
    ...(flags.loglevel === undefined ? {} : { LOG_LEVEL: flags.loglevel }),
    ...(flags.app === undefined ? {} : { CELERY_APP: flags.app }),
  }
  const environment = readEnvironment(env)
  const logFormat = environment.log.format
  const module = env.CELERY_APP || undefined
  if (module === undefined) return { ...createService(environment, role), logFormat, env }

  const app = await loadApp(module)
  const { broker, backend } = environment.settings
  if (env.CELERY_BROKER_URL) app.configure({ broker })
  if (env.CELERY_RESULT_BACKEND) app.configure({ backend })
  // A library is silent; a command is not.
  if (app.log === silentLog)
    app.configure({ log: createLog({ ...environment.log, fields: { process: role } }) })
  const { taskQueues, taskDefaultQueue } = app.settings
  return { app, log: app.log, queues: taskQueues ?? [taskDefaultQueue], logFormat, env }
}
