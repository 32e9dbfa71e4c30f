import type { ApiServer } from '../api-server.js'
import type { Log } from '../../log.js'

/** A line for each answer: what was asked by its route, never the URL itself, whose query may hold anything. */
export function addRequestLog(server: ApiServer, log: Log): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { url: route, config } = request.routeOptions
    const fields = {
      method: request.method,
      route: route ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    }
    // Probes ask every few seconds.
    if (config.access === 'open') log.debug(fields, 'request')
    else log.info(fields, 'request')
    done()
  })
}
