import type { CustomCommand } from './control-command.js'
import type { PrepareCanvas } from './apply-canvas.js'
import type { Broker } from '../broker/broker.js'
import type { Coordination } from '../coordination/coordination.js'
import type { RateLimit } from './rate-limit.js'
import type { Log } from '../log.js'
import type { LogicalClock } from '../logical-clock.js'
import type { RegisteredTask } from './registered-task.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { SendTask } from './send-task.js'
import type { SignalBus } from './signals.js'
import type { Settings } from './settings.js'
import type { Tracing } from './tracing.js'

/**
 * Where tasks run: on the event loop, many at a time (`async`) or one (`solo`); one at a time in each of some worker
 * threads, or child processes.
 */
export type PoolKind = 'async' | 'solo' | 'threads' | 'processes'

/** Celery's `--autoscale`. */
export interface Autoscale {
  /** Slots at most. */
  readonly max: number
  /** Slots at least. @default 0 */
  readonly min?: number
  /** Milliseconds since it grew before it shrinks. @default 30000 */
  readonly keepAliveMs?: number
}

export interface WorkerOptions {
  /** @default the queue of the setting `taskDefaultQueue` */
  readonly queues?: readonly string[]
  /** Where tasks run. @default the setting `workerPool` */
  readonly pool?: PoolKind
  /** How many tasks run at once. @default the setting `workerConcurrency` */
  readonly concurrency?: number
  /** Change the size of the pool with the load, instead of `concurrency`. */
  readonly autoscale?: Autoscale
  /**
   * Module that exports the app, as `app` or as its default: its URL or path. Pools of threads and processes need it:
   * each child imports it, and has to find all tasks. It must not start a worker by itself.
   */
  readonly appModule?: string | URL
  /** Environment variables of children. @default those of this process */
  readonly childEnv?: NodeJS.ProcessEnv
  /** @default the setting `workerPrefetchMultiplier` */
  readonly prefetchMultiplier?: number
  /** Node name; `%h` is the host, `%n` the part before the `@`. @default 'celery@%h' */
  readonly hostname?: string
  /** Ask other workers what is revoked before it begins. @default true, but for a broker in memory */
  readonly mingle?: boolean
  /** Follow the other workers by their heartbeats: the log tells who joins, leaves and is lost. @default false; Celery's is true */
  readonly gossip?: boolean
  /** Send events of tasks from the start; else when a monitor asks for them. @default the setting `workerSendTaskEvents` */
  readonly taskEvents?: boolean
  /**
   * Seconds between two heartbeats, by which monitors know that it is alive; 0: none, and neither does it say hello or
   * goodbye. @default 2
   */
  readonly heartbeatInterval?: number
  /**
   * Serve metrics for Prometheus (`/metrics`) and probes (`/healthz`, `/readiness`) on this port; 0: any that is free.
   *
   * @default it serves none
   */
  readonly httpPort?: number
  /** Address that the port is opened on. @default '127.0.0.1' */
  readonly httpHost?: string
  /**
   * Whether the label `hostname` of metrics reads `generic`, so that there are no more series where hosts come and go.
   *
   * @default false
   */
  readonly genericHostname?: boolean
}

/** What a worker is made of; handed to it by the app. */
export interface WorkerParts {
  readonly settings: Settings
  readonly broker: Broker
  readonly backend: ResultBackend
  readonly tasks: ReadonlyMap<string, RegisteredTask>
  readonly send: SendTask
  readonly prepareCanvas: PrepareCanvas
  readonly logicalClock: LogicalClock
  readonly controlCommands: ReadonlyMap<string, CustomCommand>
  readonly signals: SignalBus
  /** Connected when it is first asked for. */
  readonly coordination: () => Coordination
  /** Undefined where no spans are wanted. */
  readonly tracing: Tracing | undefined
  readonly log: Log
}

export interface WorkerCounts {
  /** Tasks started since the worker runs. */
  readonly started: number
  readonly succeeded: number
  readonly failed: number
  readonly retried: number
  readonly deadLettered: number
  /** Running now. */
  readonly active: number
  /** Claimed, not yet running. */
  readonly reserved: number
  /** Ended, by a hard time limit or whoever terminated them, while their functions go on. */
  readonly lingering: number
}

/** The limits within which a pool has as many slots as there is work for. */
export interface RunningAutoscale {
  readonly max: number
  readonly min: number
  /** What is left out stays. @throws InvalidArgumentError where min is above max. */
  update(limits: { readonly max?: number; readonly min?: number }): void
}

/** The pool of a worker, while it runs. */
export interface RunningPool {
  readonly kind: PoolKind
  /** How many tasks may run at once. */
  readonly concurrency: number
  /** Undefined where its size changes only when it is told to. */
  readonly autoscale: RunningAutoscale | undefined
  /** Ids of the processes, or threads, that tasks run in. */
  readonly children: readonly number[]
  /**
   * Run more tasks at once. Resolves when they can.
   *
   * @throws InvalidArgumentError where the pool has a fixed size, PoolStartError.
   */
  grow(count: number): Promise<void>
  /**
   * Run fewer, as soon as tasks have ended.
   *
   * @throws InvalidArgumentError where none would be left, or the pool has a fixed size.
   */
  shrink(count: number): Promise<void>
}

export interface RunningWorker extends AsyncDisposable {
  /** Node name. */
  readonly hostname: string
  /** Resolves when it has stopped, whoever asked for that: remote control may. */
  readonly stopped: Promise<void>
  readonly pool: RunningPool
  counts(): WorkerCounts
  /** Where metrics and probes are served. */
  readonly httpPort: number | undefined
  /** Begin to send events of tasks. @returns false where they are sent already. */
  enableEvents(): boolean
  /** End that. @returns false where they are not sent, or were asked for at the start. */
  disableEvents(): boolean
  /**
   * Change how many calls of a task may start in a while in this worker, as Celery's remote control command `rate_limit`;
   * 0 or null: any number. It lasts until the worker ends.
   *
   * @throws InvalidArgumentError for a rate or task that there is not, and where `workerDisableRateLimits` is set.
   */
  setRateLimit(task: string, rate: RateLimit): void
  /**
   * Stop claiming, let what runs finish for up to `workerShutdownTimeout` seconds, hand the rest back to the
   * front of its queue. Calling it again waits for the same stop.
   */
  stop(): Promise<void>
  /**
   * End a task that runs here, as revoked: its signal aborts, and a child in which it goes on for a second more is
   * killed, but after SIGUSR1, which leaves the end to the function. It may be terminated again.
   *
   * @param signal - Sent to the child, where it is a process. @default 'SIGTERM'
   * @returns false where it does not run here. @throws InvalidArgumentError for a signal that there is not.
   */
  terminate(taskId: string, signal?: NodeJS.Signals): boolean
  /** Hand everything back at once, running tasks included; their signals abort. */
  abort(): Promise<void>
}
