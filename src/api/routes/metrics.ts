import { addQueueMetrics } from '../../app/queue-metrics.js'
import { addWorkerMetrics } from '../worker-metrics.js'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { z } from 'zod'
import type { ApiServer } from '../api-server.js'
import type { Celery } from '../../index.js'

export interface MetricsParts {
  readonly app: Celery
  /** Queues whose length is told. */
  readonly queues: readonly string[]
  /** Seconds; see {@link WorkerMetricsOptions}. */
  readonly purgeOfflineWorkers: number
}

export function addMetrics(server: ApiServer, { app, queues, purgeOfflineWorkers }: MetricsParts): void {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'lovage_' })
  const requests = new Histogram({
    name: 'lovage_http_request_duration_seconds',
    help: 'Time from a request to its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
    registers,
  })
  const queueMetrics = addQueueMetrics(registry, app.broker, () => queues)
  const workerMetrics = addWorkerMetrics(registry, app, { purgeOfflineWorkers })

  server.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none'
    requests.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
    done()
  })

  server.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      summary: 'Metrics for Prometheus',
      tags: ['operations'],
      response: { 200: { description: 'Metrics.', content: { 'text/plain': { schema: z.string() } } } },
    },
    async handler(_request, reply) {
      await Promise.all([queueMetrics.read(), workerMetrics.read()])
      return reply
        .type(registry.contentType)
        .serializer((text: string) => text)
        .send(await registry.metrics())
    },
  })
}
