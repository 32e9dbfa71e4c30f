import { checkConnection, type ConnectionState } from '../check-connection.js'
import { z } from 'zod'
import type { ApiServer } from '../api-server.js'
import type { Celery } from '../../index.js'

const connectionState = z.object({ configured: z.boolean(), ok: z.boolean(), details: z.string() })

const readiness = z
  .object({
    redis: connectionState.describe('Broker and results together, where they are on Redis.'),
    broker: connectionState,
    results: connectionState,
  })
  .meta({ id: 'Readiness' })

export function addHealthRoutes(server: ApiServer, app: Celery): void {
  server.route({
    method: 'GET',
    url: '/healthz',
    config: { access: 'open' },
    schema: {
      summary: 'Whether the process is alive',
      tags: ['operations'],
      security: [],
      response: { 200: z.object({ status: z.literal('ok') }) },
    },
    handler: () => ({ status: 'ok' }) as const,
  })

  server.route({
    method: 'GET',
    url: '/readiness',
    config: { access: 'open' },
    schema: {
      summary: 'Whether it can do its work',
      description: 'Answers within about a second, whatever has failed.',
      tags: ['operations'],
      security: [],
      response: { 200: readiness, 503: readiness },
    },
    async handler(_request, reply) {
      const [broker, results] = await Promise.all([checkConnection(app.broker), checkConnection(app.backend)])
      const onRedis = [
        ...(app.broker.url.startsWith('memory:') ? [] : [broker]),
        ...(/^(memory|disabled):/.test(app.backend.url) ? [] : [results]),
      ]
      const isReady = broker.ok && results.ok
      return reply.code(isReady ? 200 : 503).send({ redis: together(onRedis), broker, results })
    },
  })
}

function together(states: readonly ConnectionState[]): ConnectionState {
  const first = states.find(({ ok }) => !ok) ?? states[0]
  return first ?? { configured: false, ok: true, details: 'not configured' }
}
