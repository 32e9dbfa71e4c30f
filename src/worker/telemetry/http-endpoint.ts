import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { addQueueMetrics } from '../../app/queue-metrics.js'
import { createTaskMetrics } from './task-metrics.js'
import { InvalidArgumentError } from '../../errors.js'
import type { Broker } from '../../broker/broker.js'
import type { Log } from '../../log.js'
import type { Monitors } from '../monitors.js'
import type { TaskLookup } from '../../app/registered-task.js'
import type { WorkerCounts } from '../../app/worker-options.js'

/** Why a worker cannot do its work at the moment; undefined where it can. */
export type Ailment = () => string | undefined

export interface HttpEndpointParts {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Of metrics; a label. */
  readonly hostname: string
  readonly ailment: Ailment
  readonly monitors: Monitors
  readonly tasks: TaskLookup
  readonly counts: () => WorkerCounts
  readonly broker: Broker
  readonly queues: () => readonly string[]
  readonly log: Log
}

export interface HttpEndpoint {
  readonly port: number
  stop(): Promise<void>
}

/**
 * A worker's port for probes and Prometheus: `/healthz` and `/live`, `/readiness` and `/ready`, `/health`, `/metrics`.
 * Probes are answered from what is known already: they ask nobody, and a broker that is away leaves the process alive.
 *
 * @throws InvalidArgumentError where it cannot listen there.
 */
export async function startHttpEndpoint(parts: HttpEndpointParts): Promise<HttpEndpoint> {
  const { host, port, ailment, monitors, log } = parts
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'lovage_' })
  const metrics = createTaskMetrics({ ...parts, registry, now: parts.broker.now })
  const queueMetrics = addQueueMetrics(registry, parts.broker, parts.queues)

  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    switch (path) {
      case '/healthz':
      case '/live':
        return send(response, 200, { status: 'ok' })
      case '/readiness':
      case '/ready':
        return sendState(response, ailment())
      case '/health':
        return sendState(response, ailment() ?? queueMetrics.failure)
      case '/metrics':
        await queueMetrics.read()
        response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics())
        return
      default:
        return send(response, 404, { error: { code: 'NOT_FOUND', message: `there is no ${path}` } })
    }
  }
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      send(response, 405, { error: { code: 'METHOD_NOT_ALLOWED', message: 'GET is all there is' } })
      return
    }
    const [path = ''] = (request.url ?? '').split('?')
    answer(path, response).catch((error: unknown) => {
      log.error({ err: error, path }, 'a request could not be answered')
      response.destroy()
    })
  }

  const server = createServer(serve)
  await listen(server, host, port)
  monitors.add(metrics)
  const { port: boundPort } = server.address() as AddressInfo
  log.info({ host, port: boundPort }, `metrics and probes on http://${host}:${boundPort}`)
  return {
    port: boundPort,
    async stop() {
      monitors.remove(metrics)
      registry.clear()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    throw new InvalidArgumentError(`cannot listen on ${host}:${port}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** @param ailment - undefined where there is none. */
function sendState(response: ServerResponse, ailment: string | undefined): void {
  const ok = ailment === undefined
  send(response, ok ? 200 : 503, { redis: { configured: true, ok, details: ailment ?? 'ok' } })
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
