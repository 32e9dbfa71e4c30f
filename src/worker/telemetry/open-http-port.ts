import type { HttpEndpoint } from './http-endpoint.js'
import type { WorkerMembers } from '../members.js'
import type { WorkerOptions, WorkerParts } from '../../app/worker-options.js'

/**
 * Serve metrics and probes where `httpPort` says so; what serves them is loaded only then.
 *
 * @throws InvalidArgumentError where it cannot listen there.
 */
export async function openHttpPort(
  parts: WorkerParts,
  hostname: string,
  { httpHost: host = '127.0.0.1', httpPort: port, genericHostname = false }: WorkerOptions,
  { consumer, processor, monitors, tasks, supply }: WorkerMembers,
  isStopping: () => boolean,
): Promise<HttpEndpoint | undefined> {
  if (port === undefined) return undefined
  const { startHttpEndpoint } = await import('./http-endpoint.js')
  return startHttpEndpoint({
    ...parts,
    host,
    port,
    hostname: genericHostname ? 'generic' : hostname.slice(hostname.indexOf('@') + 1),
    monitors,
    tasks,
    queues: () => consumer.queues,
    counts: () => processor.counts(),
    ailment: () => ailmentOf(isStopping(), supply.sinceClaimMs(), parts.settings.workerLease),
  })
}

/** Why it is not to be counted on; undefined where it is. @param lease - Seconds for which it may hear nothing. */
function ailmentOf(isStopping: boolean, sinceClaimMs: number | undefined, lease: number): string | undefined {
  if (isStopping) return 'the worker stops'
  if (sinceClaimMs === undefined) return 'the worker does not consume yet'
  if (sinceClaimMs <= lease * 1000) return undefined
  return `the broker has not answered for ${Math.round(sinceClaimMs / 1000)} s`
}
