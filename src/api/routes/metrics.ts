import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { within } from '../check-connection.js'
import { z } from 'zod'
import type { ApiServer } from '../api-server.js'
import type { Celery } from '../../index.js'

const SCRAPE_LIMIT_MS = 1000

export interface MetricsParts {
  readonly app: Celery
  /** Queues whose length is told. */
  readonly queues: readonly string[]
}

export function addMetrics(server: ApiServer, { app, queues }: MetricsParts): void {
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
  const queueLength = new Gauge({
    // The name that celery-exporter's dashboards ask for.
    name: 'celery_queue_length',
    help: 'Messages that wait in the queue.',
    labelNames: ['queue_name'],
    registers,
  })
  const deadLetters = new Gauge({ name: 'lovage_dead_letters', help: 'Messages set aside.', registers })
  const scrapeErrors = new Gauge({
    name: 'lovage_scrape_errors',
    help: 'Values that could not be read for this scrape and are left out of it.',
    registers,
  })

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
      const [dead, ...lengths] = await Promise.allSettled(
        [app.broker.deadLetters.count(), ...queues.map((queue) => app.broker.queueLength(queue))].map(
          (reading) => within(SCRAPE_LIMIT_MS, reading),
        ),
      )
      // A value that is not known is left out: a dashboard shows a gap then, and no 0.
      deadLetters.remove()
      queueLength.reset()
      if (dead?.status === 'fulfilled') deadLetters.set(dead.value)
      lengths.forEach((length, i) => {
        if (length.status === 'fulfilled') queueLength.set({ queue_name: queues[i] ?? '' }, length.value)
      })
      scrapeErrors.set([dead, ...lengths].filter((reading) => reading?.status === 'rejected').length)
      return reply
        .type(registry.contentType)
        .serializer((text: string) => text)
        .send(await registry.metrics())
    },
  })
}
