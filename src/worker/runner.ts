import { acksLate, keepsResult, storedResult, type Request, type SendEvent } from './request.js'
import type { Monitors } from './monitors.js'
import type { Observer } from './observer.js'
import { BLOCKS_AFTER_MS } from './blocking.js'
import { createTimeLimits } from './limits/time-limits.js'
import { createLingering, type LingeringRun } from './lingering.js'
import { isExpired } from './strategy.js'
import { TaskRevokedError, TimeLimitExceeded } from '../app/outcomes.js'
import type { AddToChordParts } from './add-to-chord.js'
import type { Clock } from '../clock.js'
import type { Conclude } from './conclude.js'
import type { Delivery } from '../broker/broker.js'
import type { HeldMessages } from './held-messages.js'
import type { Execution, Pool, TimeLimits } from './pool/pool.js'
import type { Log } from '../log.js'
import type { Outcome } from './outcome.js'
import type { Refusals } from './refusals.js'
import type { RegisteredTask } from '../app/registered-task.js'
import type { Requests, RunningRequest } from './requests.js'
import type { TaskMessage } from '../serialization/task-message.js'
import type { Settings } from '../app/settings.js'
import type { Tally } from './tally.js'
import type { Tracing } from '../app/tracing.js'
import type { Uniqueness } from './uniqueness.js'

/** Runs requests whose turn it is, and knows which of them are running. */
export interface Runner {
  /** Settles when the request's slot is free; a task that returns no promise, and needs none, makes none. */
  run(this: void, request: Request): void | Promise<void>
  /** Abort what runs, and forget its outcome. @returns the deliveries, to be handed back. */
  abort(): Delivery[]
  /**
   * Store that a running task was revoked, settle its message, and end it: a child gets the signal, and is killed where
   * it does not end of it, but for SIGUSR1; on the event loop the task's signal aborts. Its slot is free when it has ended,
   * and one that is left to end by itself is among those that run until then, and may be terminated again.
   *
   * @returns false where it does not run here.
   */
  terminate(this: void, taskId: string, signal: NodeJS.Signals): boolean
  /** Have other limits for a task than its own; seconds, undefined for none. */
  setTimeLimits(this: void, task: string, limits: TimeLimits): void
  running: Requests['running']
  /** How many functions go on whose tasks were ended; {@link Runner.running} has them as well. */
  readonly lingering: number
  /** The last one that began and had to wait for something; it may have ended. */
  latest(this: void): Request | undefined
  totals: Requests['totals']
}

export interface RunnerParts extends AddToChordParts {
  readonly pool: Pool
  /** The call of a task's function took so many milliseconds. */
  readonly onBlocked: (request: Request, ms: number) => void
  readonly settings: Settings
  readonly hostname: string
  readonly messages: HeldMessages
  readonly refusals: Refusals
  readonly conclude: Conclude
  readonly isRevoked: (message: TaskMessage) => boolean
  readonly observer: Observer
  readonly monitors: Monitors
  readonly uniqueness: Uniqueness
  readonly tracing: Tracing | undefined
  readonly clock: Clock
  readonly log: Log
  readonly tally: Tally
  readonly sendEvent: SendEvent
}

interface Running {
  readonly request: Request
  /** What is to be settled; undefined where that is done already. */
  readonly delivery: Delivery | undefined
  readonly execution: Execution
  /** By {@link Clock.passedMs}. */
  readonly startedAt: number
}

/** Of a task that has a slot, and whose function is about to be called. */
const NOT_YET: Execution = { outcome: { kind: 'ignore' }, abort: () => undefined }

export function createRunner(parts: RunnerParts): Runner {
  const {
    settings,
    hostname,
    messages,
    refusals,
    conclude,
    observer,
    monitors,
    uniqueness,
    tracing,
    clock,
    log,
    tally,
  } = parts
  const { pool } = parts
  const running = new Map<Delivery, Running>()
  const lingering = createLingering(log)
  let latest: Request | undefined

  const started = new Map<RegisteredTask, { count: number }>()
  const limits = createTimeLimits(settings)

  const count = (task: RegisteredTask): void => {
    const counted = started.get(task)
    if (counted === undefined) started.set(task, { count: 1 })
    else counted.count++
  }

  /** Acknowledged before it runs: it may then be lost with this process, as its author has chosen. */
  const runAcknowledged = async (request: Request): Promise<void> => {
    await messages.acknowledge(request.delivery)
    await begin(request, undefined)
    messages.endAcknowledged()
  }

  /** @param delivery - what to settle afterwards; undefined where that is done already. */
  const begin = (request: Request, delivery: Delivery | undefined): void | Promise<void> => {
    if (isExpired(request.message, clock.now())) {
      refusals.expire(request.message, delivery)
      return
    }
    if (parts.isRevoked(request.message)) {
      refusals.revoke(request.message, delivery, 'revoked')
      return
    }
    return tracing === undefined
      ? start(request, delivery)
      : tracing.running(request.message, hostname, () => start(request, delivery))
  }

  const start = (request: Request, delivery: Delivery | undefined): void | Promise<void> => {
    const before = prepare(request)
    if (before === undefined) return call(request, delivery)
    running.set(request.delivery, { request, delivery, execution: NOT_YET, startedAt: clock.passedMs() })
    return before.then(() => (running.delete(request.delivery) ? call(request, delivery) : undefined))
  }

  /** What has to be done before the function is called; undefined: nothing, or nothing that takes time. */
  const prepare = (request: Request): Promise<void> | undefined => {
    const given = uniqueness.starts(request.message)
    if (!observer.watches(request)) return given
    if (given !== undefined) return given.then(() => observer.starts(request))
    return observer.starts(request) ?? undefined
  }

  const call = (request: Request, delivery: Delivery | undefined): void | Promise<void> => {
    const { task } = request
    tally.started++
    count(task)
    const startedAt = clock.passedMs()
    monitors.current?.started(request.message)
    const execution = pool.execute(request, limits.of(request), {
      hostname,
      log,
      settings,
      backend: parts.backend,
      prepareCanvas: parts.prepareCanvas,
      store: (result) => messages.recorded(request, [result]),
      sendEvent: parts.sendEvent,
      tracing,
      onStarted: isTracked(request) ? (pid) => noteStarted(request, pid) : undefined,
    })
    const calledMs = clock.passedMs() - startedAt
    if (calledMs > BLOCKS_AFTER_MS) parts.onBlocked(request, calledMs)
    if (!(execution.outcome instanceof Promise))
      return conclude(request, delivery, execution.outcome, startedAt)
    latest = request
    running.set(request.delivery, { request, delivery, execution, startedAt })
    return execution.outcome.then((outcome) => {
      // Handed back meanwhile, at a stop, or terminated.
      if (!running.delete(request.delivery)) return
      if (execution.returned !== undefined && isOverLimit(outcome))
        lingering.watch({ request, startedAt }, 'is past its hard time limit', execution.returned)
      return conclude(request, delivery, outcome, startedAt)
    })
  }

  const isTracked = ({ message, task }: Request): boolean =>
    (task.options.trackStarted ?? settings.taskTrackStarted) && keepsResult(message, task, settings)

  const noteStarted = (request: Request, pid: number): void => {
    const { message, task } = request
    const info = { pid, hostname }
    messages.note(
      request,
      storedResult(message, settings, hostname, { status: 'STARTED', result: info }, task),
    )
  }

  return {
    run: (request) =>
      acksLate(request.task, settings) ? begin(request, request.delivery) : runAcknowledged(request),
    abort() {
      const deliveries = [...running.keys()]
      for (const { request, execution } of running.values()) {
        execution.abort(new Error('the worker stops'))
        tracing?.ended(request.message, { state: undefined })
      }
      running.clear()
      if (deliveries.length > 0) {
        log.warn(
          { count: deliveries.length },
          'tasks did not end in time; they are handed back and will run again',
        )
      }
      return deliveries
    },
    terminate(taskId, signal) {
      const found = [...running.values()].filter(({ request }) => request.message.id === taskId)
      // A signal that left the end to the function may be followed by a stronger one.
      const left = lingering.endable(taskId)
      for (const execution of left) execution.terminate?.(signal)
      for (const { request, delivery, execution, startedAt } of found) {
        running.delete(request.delivery)
        const isEndable = execution.terminate !== undefined
        if (!isEndable) execution.abort(new TaskRevokedError('terminated'))
        const ends = isEndable && execution.terminate(signal)
        const returned = execution.returned ?? execution.outcome
        if (!ends && returned instanceof Promise) {
          const run = { request, startedAt, execution: isEndable ? execution : undefined }
          lingering.watch(run, 'was terminated', returned)
        }
        refusals.revoke(request.message, delivery, 'terminated', signal)
      }
      return found.length + left.length > 0
    },
    setTimeLimits: limits.set,
    latest: () => latest,
    running: () => {
      const startOfTime = clock.now() - clock.passedMs()
      const tell = (
        { request, startedAt, execution }: LingeringRun,
        isAcknowledged: boolean,
      ): RunningRequest => {
        const pid = execution?.pid
        return {
          ...{ request, isAcknowledged, startedAt: startOfTime + startedAt },
          pid: pid === undefined ? process.pid : pid(),
        }
      }
      return [
        ...[...running.values()].map((each) => tell(each, each.delivery === undefined)),
        ...lingering.list().map((run) => tell(run, true)),
      ]
    },
    get lingering() {
      return lingering.count
    },
    totals: () => Object.fromEntries([...started].map(([{ name }, { count: times }]) => [name, times])),
  }
}

function isOverLimit(outcome: Outcome): boolean {
  return outcome.kind === 'failure' && outcome.thrown instanceof TimeLimitExceeded
}
