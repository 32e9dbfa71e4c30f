import { Gauge, type Registry } from 'prom-client'
import { within } from '../app/within.js'
import type { Celery } from '../index.js'

const SCRAPE_LIMIT_MS = 1000

export interface WorkerMetricsOptions {
  /** Seconds after which a host whose workers have gone is not told of any more; 0: never. */
  readonly purgeOfflineWorkers: number
  /** Milliseconds that never go back. @default the monotonic clock */
  readonly now?: () => number
}

export interface WorkerMetrics {
  /** Look; to be called before the registry is asked. Where that fails, nothing is told of workers. Never rejects. */
  read(): Promise<void>
}

/** Which workers are there, by their leases, as celery-exporter tells it: 1, then 0 for a while, then nothing. */
export function addWorkerMetrics(
  registry: Registry,
  app: Celery,
  { purgeOfflineWorkers, now = () => performance.now() }: WorkerMetricsOptions,
): WorkerMetrics {
  const up = new Gauge({
    name: 'celery_worker_up',
    help: 'Whether a worker of this host is there.',
    labelNames: ['hostname'],
    registers: [registry],
  })
  const purgeAfterMs = purgeOfflineWorkers * 1000 || Infinity
  const lastSeen = new Map<string, number>()

  return {
    async read() {
      const nodes = await within(SCRAPE_LIMIT_MS, app.control.workers()).catch(() => undefined)
      up.reset()
      if (nodes === undefined) return
      const at = now()
      for (const node of nodes) lastSeen.set(node.slice(node.indexOf('@') + 1), at)
      for (const [hostname, seenAt] of lastSeen) {
        if (at - seenAt >= purgeAfterMs) lastSeen.delete(hostname)
        else up.set({ hostname }, seenAt === at ? 1 : 0)
      }
    },
  }
}
