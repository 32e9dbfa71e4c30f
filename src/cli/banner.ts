import type { Celery } from '../app/celery.js'
import { version } from '../version.js'

export interface BannerOptions {
  /** Node name. */
  readonly hostname: string
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly taskEvents?: boolean
}

/** What a worker says first, with Celery's headings. */
export function formatBanner(
  app: Celery,
  { hostname, queues, concurrency, taskEvents }: BannerOptions,
): string {
  const hasTaskEvents = taskEvents ?? app.settings.workerSendTaskEvents
  const results = app.settings.backend === undefined ? 'disabled://' : app.backend.url
  return [
    `${hostname} v${version}`,
    '',
    '[config]',
    `.> app:         ${app.name}`,
    `.> transport:   ${app.broker.url}`,
    `.> results:     ${results}`,
    `.> concurrency: ${concurrency} (async)`,
    `.> task events: ${hasTaskEvents ? 'ON' : 'OFF'}`,
    '',
    '[queues]',
    ...queues.map((queue) => `.> ${queue.padEnd(16)} exchange=${queue}(direct) key=${queue}`),
    '',
    '[tasks]',
    ...[...app.tasks.keys()].sort().map((name) => `  . ${name}`),
    '',
    '',
  ].join('\n')
}
