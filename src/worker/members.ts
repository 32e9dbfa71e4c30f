import { randomUUID } from 'node:crypto'
import { createMonitors, type Monitors } from './monitors.js'
import { createPool } from './pool/create-pool.js'
import { createProcessor, type Processor } from './processor.js'
import { createRecorder } from './recorder.js'
import { createRevocation, type Revocation } from './revocation/revocation.js'
import { createSupply, type Supply } from './supply.js'
import { createWorkerEvents, type WorkerEvents } from './worker-events.js'
import { systemClock } from '../clock.js'
import { withBuiltins } from './builtins.js'
import type { Consumer } from '../broker/broker.js'
import type { Pool } from './pool/pool.js'
import type { Settler } from './settle.js'
import type { TaskLookup } from '../app/registered-task.js'
import type { WorkerOptions, WorkerParts } from '../app/worker-options.js'

/** What one worker consists of. */
export interface WorkerMembers {
  readonly consumer: Consumer
  readonly pool: Pool
  readonly tasks: TaskLookup
  readonly settler: Settler
  readonly monitors: Monitors
  readonly events: WorkerEvents
  readonly revocation: Revocation
  readonly processor: Processor
  readonly supply: Supply
}

/** Celery's. */
const DEFAULT_HEARTBEAT_SECONDS = 2

/** Make the members, and make them known to each other. Nothing is begun yet. */
export function createMembers(parts: WorkerParts, hostname: string, options: WorkerOptions): WorkerMembers {
  const { settings, broker, log } = parts
  const queues = options.queues ?? settings.taskQueues ?? [settings.taskDefaultQueue]
  const consumer = broker.consumer({ queues, consumerId: `${hostname}:${randomUUID()}` })
  const pool = createPool(parts, hostname, options)
  const tasks = withBuiltins(parts)
  const settler = createRecorder({ ...parts, tasks, hostname, consumer })
  const monitors = createMonitors()
  const events = createWorkerEvents({
    fanout: broker.fanout,
    exchange: settings.eventExchange,
    hostname,
    logicalClock: parts.logicalClock,
    log,
    monitors,
    tasks,
    taskEvents: (options.taskEvents ?? settings.workerSendTaskEvents) ? 'always' : 'on demand',
    heartbeatInterval: options.heartbeatInterval ?? DEFAULT_HEARTBEAT_SECONDS,
    counts: () => processor.counts(),
  })
  const revocation = createRevocation({
    settings,
    kept: broker.revocations,
    backend: parts.backend,
    clock: systemClock,
    log,
  })
  const processor = createProcessor({
    ...parts,
    isRevoked: revocation.covers,
    monitors,
    sendEvent: events.send,
    tasks,
    hostname,
    pool,
    consumer,
    settler,
    clock: systemClock,
  })
  const supply = createSupply({ settings, options, consumer, pool, processor, log })
  return { consumer, pool, tasks, settler, monitors, events, revocation, processor, supply }
}
