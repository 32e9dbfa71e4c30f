import { randomUUID } from 'node:crypto'
import { atTestEnd } from '../../support/at-test-end.js'
import { registerWork } from './apps/register-work.js'
import { Celery } from './apps/built.js'
import type { AppOptions, AsyncResult, RunningWorker, WorkerOptions } from '../../../src/index.js'

/** What children import. */
export const APP_MODULE = new URL('./apps/work.js', import.meta.url)

/** An app of what is built, which is closed when the test ends. */
export function builtApp(url: string, settings: AppOptions = {}): Celery {
  const app = new Celery('test', { broker: url, backend: url, ...settings })
  atTestEnd(() => app.close())
  return app
}

/** A worker with children in this process, and a queue that only it consumes. */
export interface PoolSite {
  readonly app: Celery
  readonly worker: RunningWorker
  readonly queue: string
  send<Result = unknown>(this: void, task: string, ...args: unknown[]): Promise<AsyncResult<Result>>
}

export async function startPoolSite(
  url: string,
  options: WorkerOptions,
  settings: AppOptions = {},
): Promise<PoolSite> {
  const { log, ...rest } = settings
  const queue = `pool-${randomUUID()}`
  const app = builtApp(url, { ...rest, ...(log === undefined ? {} : { log }) })
  registerWork(app)
  const childEnv = {
    ...process.env,
    ...options.childEnv,
    WORK_SETTINGS: JSON.stringify({ broker: url, backend: url, ...rest }),
  }
  const worker = await app.startWorker({
    queues: [queue],
    concurrency: 2,
    appModule: APP_MODULE,
    ...options,
    childEnv,
  })
  atTestEnd(() => worker.stop())
  return { app, worker, queue, send: (task, ...args) => app.sendTask(task, args, {}, { queue }) }
}
