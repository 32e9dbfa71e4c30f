import { systemClock } from '../clock.js'
import type { HttpEndpoint } from './telemetry/http-endpoint.js'
import type { WorkerMembers } from './members.js'
import type { WorkerParts } from '../app/worker-options.js'

/** A worker that consumes. */
export interface BegunWorker extends WorkerMembers {
  readonly stopRemoteControl: () => Promise<void>
  /** Undefined where it serves none. */
  readonly httpEndpoint: HttpEndpoint | undefined
}

/**
 * The order of a stop (guarantee 7): stop claiming; hand back what has not begun; let what runs finish, up to the
 * time limit; hand back what is left; record results and acks; give up the lease.
 *
 * @param aborted - ends the patience with what runs.
 */
export async function shutDown(
  { settings, signals, log }: WorkerParts,
  hostname: string,
  worker: BegunWorker,
  aborted: AbortSignal,
): Promise<void> {
  const { supply, processor, pool, settler } = worker
  void signals.emit('workerShuttingDown', { hostname })
  await supply.stop()
  await processor.releaseWaiting()
  const patience = startPatience(settings.workerShutdownTimeout * 1000, aborted)
  await Promise.race([pool.slots.idle(), patience.isOver])
  await processor.releaseRunning()
  await pool.stop()
  await Promise.race([settler.flush(), patience.isOver])
  patience.end()
  settler.abandon()
  await worker.stopRemoteControl()
  await worker.revocation.close()
  await worker.events.stop()
  await worker.consumer.stop()
  await worker.httpEndpoint?.stop()
  log.info({ hostname, ...processor.counts() }, `${hostname} stopped`)
  await signals.emit('workerShutdown', { hostname })
}

/** A time limit that leaves no timer behind. It is over when `ms` have passed or `signal` aborts. */
function startPatience(ms: number, signal: AbortSignal): { isOver: Promise<void>; end: () => void } {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  return { isOver: systemClock.sleep(ms, ended.signal), end }
}
