import path from 'node:path'
import type * as OpenTelemetry from '@opentelemetry/api'
import { Celery } from './app/celery.js'
import { createLog, type Log } from './log.js'
import { EnvironmentError, loadDotEnv, readEnvironment, type Environment } from './app/environment.js'
import { BUNDLED_QUEUES, registerBundledTasks } from './tasks/index.js'

/** The service that `npm start` and the Procfile run: one app with the bundled tasks, made from the environment. */
export interface Service {
  readonly app: Celery
  readonly environment: Environment
  readonly log: Log
  /** What its workers consume unless told otherwise. */
  readonly queues: readonly string[]
}

/** @param role - `web`, `worker` or `beat`; stands on every line of the log. */
export function createService(environment: Environment, role: string): Service {
  const log = createLog({ ...environment.log, fields: { process: role } })
  const app = new Celery('lovage', { ...environment.settings, log })
  registerBundledTasks(app, {
    artifactDir: environment.artifactDir,
    // The API puts uploads there.
    sourceDirs: [path.resolve(environment.artifactDir, 'uploads'), ...environment.sourceDirs],
  })
  return { app, environment, log, queues: [app.settings.taskDefaultQueue, ...BUNDLED_QUEUES] }
}

/**
 * Have spans made of an app's calls and runs where this process was started with an SDK of OpenTelemetry, such as by
 * `NODE_OPTIONS=--import=…`. Without one, nothing is spent on them.
 */
export async function traceWhereRegistered(app: Celery): Promise<void> {
  let api: typeof OpenTelemetry
  try {
    api = await import('@opentelemetry/api')
  } catch {
    // An optional dependency, which every SDK brings.
    return
  }
  const provider = api.trace.getTracerProvider()
  const none = new api.ProxyTracerProvider().getDelegate()
  if (provider instanceof api.ProxyTracerProvider && provider.getDelegate() === none) return
  const { instrument } = await import('./opentelemetry.js')
  instrument(app)
}

/** Bad configuration: as Celery's commands have it. */
export const EXIT_USAGE = 2

/** The service of this process, or an exit with one line on standard error for each fault of the environment. */
export async function serviceFromEnvironment(role: string): Promise<Service> {
  try {
    loadDotEnv()
    const service = createService(readEnvironment(process.env), role)
    await traceWhereRegistered(service.app)
    return service
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error
    for (const fault of error.faults) process.stderr.write(`${fault}\n`)
    process.exit(EXIT_USAGE)
  }
}
