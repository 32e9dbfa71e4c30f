import { randomUUID } from 'node:crypto'
import { createCallErrbacks } from './errbacks.js'
import { createCompleteChord } from './complete-chord.js'
import { nodeName } from './node-name.js'
import { partOf } from './ending.js'
import { withBuiltins } from './builtins.js'
import { createPool } from './pool/create-pool.js'
import { createAutoscaler, type Autoscaler } from './pool/autoscaler.js'
import { createConsumption } from './consumption.js'
import { createMonitors } from './monitors.js'
import { createProcessor, type Processor } from './processor.js'
import { createWorkerEvents } from './worker-events.js'
import { adaptivePrefetch, fixedPrefetch } from './prefetch.js'
import { createRevocation } from './revocation/revocation.js'
import { startRemoteControl } from './remote-control/start-remote-control.js'
import { createSettler } from './settle.js'
import { describeThrown } from '../serialization/exceptions.js'
import { runningPool } from './pool/running-pool.js'
import { storedResult } from './request.js'
import { systemClock } from '../clock.js'
import type { ControlledNode } from './remote-control/node.js'
import type { RunningWorker, WorkerOptions, WorkerParts } from '../app/worker-options.js'

const HAND_BACK_EVERY_MS = 500
const PING_TIMEOUT_MS = 5000
/** Celery's. */
const DEFAULT_HEARTBEAT_SECONDS = 2

/**
 * Start a worker: a consumer that claims messages, a pool that runs their tasks, and a settler that records what
 * became of them. Resolves when it consumes.
 *
 * Order of a stop (guarantee 7): stop claiming; hand back what has not begun; let what runs finish, up to the
 * time limit; hand back what is left; record results and acks; give up the lease.
 */
export async function startWorker(parts: WorkerParts, options: WorkerOptions = {}): Promise<RunningWorker> {
  const { settings, broker, signals, log } = parts
  const hostname = nodeName(options.hostname ?? 'celery@%h')
  await signals.emit('workerInit', { hostname })
  const multiplier = options.prefetchMultiplier ?? settings.workerPrefetchMultiplier
  const queues = options.queues ?? settings.taskQueues ?? [settings.taskDefaultQueue]
  const consumer = broker.consumer({ queues, consumerId: `${hostname}:${randomUUID()}` })
  const pool = createPool(parts, hostname, options)
  const settler = createSettler({
    backend: parts.backend,
    consumer,
    failureInstead: (message, error) => {
      const { exception } = describeThrown(error)
      const state = { status: 'FAILURE', result: exception, dateDone: new Date() }
      return storedResult(message, settings, hostname, state)
    },
    partInstead: (part, error) =>
      partOf(part.message, 'FAILURE', describeThrown(error).exception, settings) ?? part,
    completeChord: (...part) => completeChord(...part),
    clock: systemClock,
    log,
  })
  const tasks = withBuiltins(parts)
  const completeChord = createCompleteChord({
    ...parts,
    hostname,
    callErrbacks: createCallErrbacks({ ...parts, tasks, hostname }),
    clock: systemClock,
    record: ({ results, parts: chordParts }, message) =>
      new Promise((resolve) => settler.add({ results, parts: chordParts, message, onSettled: resolve })),
  })
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
  const ending = new AbortController()
  const revocation = createRevocation({
    settings,
    kept: broker.revocations,
    backend: parts.backend,
    persistence: { clock: systemClock, log, signal: ending.signal },
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
  const { load } = processor
  const isAdaptive = multiplier === undefined
  const autoscaler =
    options.autoscale === undefined
      ? undefined
      : createAutoscaler({
          pool,
          limits: options.autoscale,
          demand: () => load.unfinished,
          now: () => performance.now(),
          log,
        })
  // Who is to grow with the work has to see it.
  const slotCount = (): number => autoscaler?.max ?? pool.slots.concurrency
  const prefetch = isAdaptive
    ? adaptivePrefetch(
        slotCount,
        () => load.ended,
        () => performance.now(),
      )
    : fixedPrefetch(slotCount, multiplier)
  const consumption = createConsumption({
    consumer,
    prefetch,
    held: () => (isAdaptive ? load.unfinished : load.held),
    maxBytes: settings.workerPrefetchMaxBytes || Infinity,
    heldBytes: () => load.heldBytes,
    onRoom(listener) {
      load.onRoom(listener)
      pool.slots.onGrow(listener)
    },
    onDelivery:
      autoscaler === undefined
        ? (delivery) => processor.process(delivery)
        : (delivery) => {
            processor.process(delivery)
            autoscaler.look()
          },
    clock: systemClock,
    log,
  })

  let stopping: Promise<void> | undefined
  const aborting = new AbortController()
  let onStopped: () => void = () => undefined
  const stopped = new Promise<void>((resolve) => (onStopped = resolve))

  // It connects when it is first asked: now, so that the first result finds a connection.
  parts.backend.ping(PING_TIMEOUT_MS).catch((error: unknown) => {
    log.debug({ err: error }, 'the result backend does not answer yet')
  })
  const httpEndpoint =
    options.httpPort === undefined
      ? undefined
      : await (
          await import('./telemetry/http-endpoint.js')
        ).startHttpEndpoint({
          ...parts,
          host: options.httpHost ?? '127.0.0.1',
          port: options.httpPort,
          hostname,
          monitors,
          tasks,
          queues: () => consumer.queues,
          counts: () => processor.counts(),
          ailment: () => ailmentOf(stopping !== undefined, consumption.sinceClaimMs(), settings.workerLease),
        })
  await pool.start().catch(async (error: unknown) => {
    await httpEndpoint?.stop()
    throw error
  })
  const stopRemoteControl = await startRemoteControl({
    ...parts,
    hostname,
    consumer,
    pool,
    prefetch,
    processor,
    revocation,
    workerEvents: events,
    autoscale: autoscaler && scalable(autoscaler),
    // Who shares a broker in memory shares what is revoked as well.
    mingles: options.mingle ?? !settings.broker.startsWith('memory:'),
    shutdown: () => void (stopping ??= stop()),
  })
  await consumption.start()
  autoscaler?.start()
  const handingBack = isAdaptive
    ? startHandingBack(processor, () => slotCount() - pool.slots.concurrency)
    : undefined
  log.info({ hostname, queues, pool: pool.kind, concurrency: pool.slots.concurrency }, `${hostname} ready.`)
  void events.start()
  await signals.emit('workerReady', { hostname })

  const stop = async (): Promise<void> => {
    clearInterval(handingBack)
    autoscaler?.stop()
    void signals.emit('workerShuttingDown', { hostname })
    await consumption.stop()
    await processor.releaseWaiting()
    const patience = startPatience(settings.workerShutdownTimeout * 1000, aborting.signal)
    await Promise.race([pool.slots.idle(), patience.isOver])
    await processor.releaseRunning()
    await pool.stop()
    await Promise.race([settler.flush(), patience.isOver])
    patience.end()
    settler.abandon()
    await stopRemoteControl()
    ending.abort()
    await revocation.close()
    await events.stop()
    await consumer.stop()
    await httpEndpoint?.stop()
    log.info({ hostname, ...processor.counts() }, `${hostname} stopped`)
    await signals.emit('workerShutdown', { hostname })
    onStopped()
  }

  return {
    hostname,
    httpPort: httpEndpoint?.port,
    stopped,
    pool: runningPool(pool, autoscaler),
    terminate: (taskId, signal = 'SIGTERM') => processor.terminate(taskId, signal),
    counts: () => processor.counts(),
    setRateLimit: processor.setRateLimit,
    enableEvents: events.enableEvents,
    disableEvents: events.disableEvents,
    stop: () => (stopping ??= stop()),
    abort: () => {
      aborting.abort()
      return (stopping ??= stop())
    },
    [Symbol.asyncDispose]: () => (stopping ??= stop()),
  }
}

function scalable(autoscaler: Autoscaler): ControlledNode['autoscale'] {
  return (limits) => {
    autoscaler.update(limits)
    return { max: autoscaler.max, min: autoscaler.min }
  }
}

/** Why it is not to be counted on; undefined where it is. @param lease - Seconds for which it may hear nothing. */
function ailmentOf(isStopping: boolean, sinceClaimMs: number | undefined, lease: number): string | undefined {
  if (isStopping) return 'the worker stops'
  if (sinceClaimMs === undefined) return 'the worker does not consume yet'
  if (sinceClaimMs <= lease * 1000) return undefined
  return `the broker has not answered for ${Math.round(sinceClaimMs / 1000)} s`
}

/**
 * Hand back what does not begin soon after all: tasks that were claimed at the pace of short ones may turn out to be
 * long, or to wait behind such.
 *
 * @param slotsToCome - by which the pool may still grow.
 */
function startHandingBack(processor: Processor, slotsToCome: () => number): NodeJS.Timeout {
  let startedBefore = processor.counts().started
  return setInterval(() => {
    const { started, reserved } = processor.counts()
    const begun = started - startedBefore
    startedBefore = started
    // At this pace, these would not begin before the next look.
    void processor.handBack(reserved - begun - slotsToCome())
  }, HAND_BACK_EVERY_MS)
}

/** A time limit that leaves no timer behind. It is over when `ms` have passed or `signal` aborts. */
function startPatience(ms: number, signal: AbortSignal): { isOver: Promise<void>; end: () => void } {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  return { isOver: systemClock.sleep(ms, ended.signal), end }
}
