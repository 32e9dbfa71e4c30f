import type { Celery } from '../app/celery.js'
import { defaultConcurrency } from '../app/pool-kinds.js'
import { version } from '../version.js'
import { paintFor } from './paint.js'
import type { Settings } from '../app/settings.js'
import type { WorkerOptions } from '../app/worker-options.js'

/** What a worker says first, with Celery's headings. */
export function formatBanner(
  app: Celery,
  options: WorkerOptions & Required<Pick<WorkerOptions, 'hostname' | 'queues'>>,
): string {
  const { hostname, queues } = options
  const hasTaskEvents = options.taskEvents ?? app.settings.workerSendTaskEvents
  const results = app.settings.backend === undefined ? 'disabled://' : app.backend.url
  const { heading } = paintFor(process.stdout)
  return [
    heading(`${hostname} v${version}`),
    '',
    heading('[config]'),
    `.> app:         ${app.name}`,
    `.> transport:   ${app.broker.url}`,
    `.> results:     ${results}`,
    `.> concurrency: ${describePool(app.settings, options)}`,
    `.> task events: ${hasTaskEvents ? 'ON' : 'OFF'}`,
    '',
    heading('[queues]'),
    ...queues.map((queue) => `.> ${queue.padEnd(16)} exchange=${queue}(direct) key=${queue}`),
    '',
    heading('[tasks]'),
    ...[...app.tasks.keys()].sort().map((name) => `  . ${name}`),
    '',
    '',
  ].join('\n')
}

function describePool(settings: Settings, { pool, concurrency, autoscale }: WorkerOptions): string {
  const kind = pool ?? settings.workerPool
  if (autoscale !== undefined) return `{min=${autoscale.min ?? 0}, max=${autoscale.max}} (${kind})`
  const slots = kind === 'solo' ? 1 : (concurrency ?? settings.workerConcurrency ?? defaultConcurrency(kind))
  return `${slots} (${kind})`
}
