import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { readAutoscale } from './autoscaler.js'
import { createAsyncPool } from './async-pool.js'
import { defaultConcurrency } from '../../app/pool-kinds.js'
import { createChildPool } from './child-pool.js'
import { isPoolChild } from './child/is-child.js'
import { warnOfHardLimits, warnOfMemoryLimit } from './unenforced-limits.js'
import { InvalidArgumentError, describeValue } from '../../errors.js'
import type { Pool } from './pool.js'
import type { PoolKind, WorkerOptions, WorkerParts } from '../../app/worker-options.js'

/**
 * The pool that a worker's options, and behind them the settings, ask for. It is not started.
 *
 * @throws InvalidArgumentError where they do not fit each other.
 */
export function createPool(parts: WorkerParts, hostname: string, options: WorkerOptions): Pool {
  const { settings, tasks, log } = parts
  if (isPoolChild()) {
    throw new InvalidArgumentError(
      'a worker was started in a child of a worker’s pool, by importing the module of the app: define the app and its ' +
        'tasks in a module of their own, and start the worker from another',
    )
  }
  const kind = options.pool ?? settings.workerPool
  warnOfMemoryLimit(kind, parts)
  const concurrency =
    options.autoscale === undefined
      ? checkConcurrency(options.concurrency ?? settings.workerConcurrency ?? defaultConcurrency(kind))
      : readAutoscale(options.autoscale).min
  if (kind === 'async' || kind === 'solo') {
    warnOfHardLimits(kind, parts)
    return createAsyncPool(kind, concurrency)
  }
  if (settings.broker.startsWith('memory:')) {
    throw new InvalidArgumentError(
      `pool: ${kind} need a broker on a server, as children do not share the memory of memory://`,
    )
  }
  return createChildPool(kind, {
    concurrency,
    module: moduleOf(kind, options.appModule),
    env: options.childEnv ?? process.env,
    hostname,
    tasks: () => tasks.keys(),
    startTimeoutMs: settings.workerProcAliveTimeout * 1000,
    maxTasksPerChild: settings.workerMaxTasksPerChild,
    maxMemoryPerChild: settings.workerMaxMemoryPerChild,
    memoryLimitKib: settings.workerHardMemoryLimit,
    log,
  })
}

function checkConcurrency(concurrency: number): number {
  if (Number.isInteger(concurrency) && concurrency >= 1) return concurrency
  throw new InvalidArgumentError(
    `concurrency: expected an integer, 1 or more, got ${describeValue(concurrency)}`,
  )
}

function moduleOf(kind: PoolKind, module: string | URL | undefined): URL {
  if (module instanceof URL) return module
  if (module === undefined || module === '') {
    throw new InvalidArgumentError(
      `appModule: a pool of ${kind} needs the module that exports the app, which its children import`,
    )
  }
  return module.startsWith('file:') ? new URL(module) : pathToFileURL(path.resolve(module))
}
