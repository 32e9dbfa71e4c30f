import { checkWorkerOptions } from './check-worker-options.js'
import { createMembers, type WorkerMembers } from './members.js'
import { nodeName } from './node-name.js'
import { openHttpPort } from './telemetry/open-http-port.js'
import { runningPool } from './pool/running-pool.js'
import { describeValue, InvalidArgumentError } from '../errors.js'
import { signalNamed } from './signal-named.js'
import { shutDown, type BegunWorker } from './shutdown.js'
import { startRemoteControl } from './remote-control/start-remote-control.js'
import type { Autoscaler } from './pool/autoscaler.js'
import type { HttpEndpoint } from './telemetry/http-endpoint.js'
import type { ControlledNode } from './remote-control/node.js'
import type { RunningWorker, WorkerOptions, WorkerParts } from '../app/worker-options.js'

const PING_TIMEOUT_MS = 5000

/**
 * Start a worker: a consumer that claims messages, a pool that runs their tasks, and a settler that records what
 * became of them. Resolves when it consumes.
 *
 * @throws InvalidArgumentError, PoolStartError
 */
export async function startWorker(parts: WorkerParts, options: WorkerOptions = {}): Promise<RunningWorker> {
  checkWorkerOptions(options)
  const { signals } = parts
  const hostname = nodeName(options.hostname ?? 'celery@%h')
  await signals.emit('workerInit', { hostname })
  const members = createMembers(parts, hostname, options)
  const { pool, supply, processor, events } = members

  const aborting = new AbortController()
  let stopping: Promise<void> | undefined
  let onStopped: () => void = () => undefined
  const stopped = new Promise<void>((resolve) => (onStopped = resolve))
  const stop = (): Promise<void> =>
    (stopping ??= beginning
      .then((worker) => shutDown(parts, hostname, worker, aborting.signal))
      .then(onStopped))

  const beginning = begin(parts, hostname, options, members, {
    isStopping: () => stopping !== undefined,
    shutdown: () => void stop(),
  })
  const { httpEndpoint } = await beginning
  void events.start()
  await signals.emit('workerReady', { hostname })

  return {
    hostname,
    httpPort: httpEndpoint?.port,
    stopped,
    pool: runningPool(pool, supply.autoscaler),
    terminate(taskId, signal = 'SIGTERM') {
      const known = signalNamed(signal)
      if (known === undefined)
        throw new InvalidArgumentError(`signal: expected one such as SIGTERM, got ${describeValue(signal)}`)
      return processor.terminate(taskId, known)
    },
    counts: () => processor.counts(),
    setRateLimit: processor.setRateLimit,
    enableEvents: events.enableEvents,
    disableEvents: events.disableEvents,
    stop,
    abort: () => {
      aborting.abort()
      return stop()
    },
    [Symbol.asyncDispose]: stop,
  }
}

interface Ending {
  readonly isStopping: () => boolean
  readonly shutdown: () => void
}

/** Resolves when the worker consumes. What a stop waits for: a worker may be told to stop before it has begun. */
async function begin(
  parts: WorkerParts,
  hostname: string,
  options: WorkerOptions,
  members: WorkerMembers,
  { isStopping, shutdown }: Ending,
): Promise<BegunWorker> {
  const { settings, backend, log } = parts
  const { consumer, pool, supply } = members
  // It connects when it is first asked: now, so that the first result finds a connection.
  backend.ping(PING_TIMEOUT_MS).catch((error: unknown) => {
    log.debug({ err: error }, 'the result backend does not answer yet')
  })
  let httpEndpoint: HttpEndpoint | undefined
  try {
    httpEndpoint = await openHttpPort(parts, hostname, options, members, isStopping)
    await pool.start()
  } catch (error) {
    await Promise.all([httpEndpoint?.stop(), consumer.stop()])
    throw error
  }
  const stopRemoteControl = await startRemoteControl({
    ...parts,
    ...members,
    hostname,
    prefetch: supply.prefetch,
    workerEvents: members.events,
    tasks: parts.tasks,
    autoscale: supply.autoscaler && scalable(supply.autoscaler),
    // Who shares a broker in memory shares what is revoked as well.
    mingles: options.mingle ?? !settings.broker.startsWith('memory:'),
    gossips: options.gossip ?? false,
    shutdown,
  })
  await supply.start()
  const { queues } = consumer
  log.info({ hostname, queues, pool: pool.kind, concurrency: pool.slots.concurrency }, `${hostname} ready.`)
  return { ...members, stopRemoteControl, httpEndpoint }
}

function scalable(autoscaler: Autoscaler): ControlledNode['autoscale'] {
  return (limits) => {
    autoscaler.update(limits)
    return { max: autoscaler.max, min: autoscaler.min }
  }
}
