import { randomUUID } from 'node:crypto'
import { createCallErrbacks } from './errbacks.js'
import { createConclude } from './conclude.js'
import { createContinuation } from './continuation.js'
import { createHeldMessages, type Load } from './held-messages.js'
import { createIntake } from './intake.js'
import { createLimits } from './limits/limits.js'
import { createObserver } from './observer.js'
import { createContext, type SendEvent } from './request.js'
import { createRefusals } from './refusals.js'
import { createBlocking } from './blocking.js'
import { createUniqueness } from './uniqueness.js'
import { createRunner, type Runner } from './runner.js'
import { createWaitingRoom } from './waiting-room.js'
import { startTally } from './tally.js'
import type { Clock } from '../clock.js'
import type { Consumer, Delivery } from '../broker/broker.js'
import type { LookAhead } from './limits/look-ahead.js'
import type { Monitors } from './monitors.js'
import type { Requests } from './requests.js'
import type { TaskMessage } from '../serialization/task-message.js'
import { runsHere, type Pool } from './pool/pool.js'
import type { RateLimit } from '../app/rate-limit.js'
import type { Settler } from './settle.js'
import type { TaskLookup } from '../app/registered-task.js'
import type { WorkerCounts, WorkerParts } from '../app/worker-options.js'

/** Follows each delivery from its arrival to its settlement. */
export interface Processor {
  readonly load: Load
  readonly lookAhead: LookAhead
  /** How many tasks there are to run, those that run included. */
  demand(this: void): number
  process(delivery: Delivery): void
  /** Hand back the last `count` of those that wait for a slot: others may have one. */
  handBack(count: number): Promise<void>
  /** Hand back what has not begun. */
  releaseWaiting(): Promise<void>
  /** Abort what runs, and hand it back. */
  releaseRunning(): Promise<void>
  /** End a task that runs, as revoked; see {@link Runner.terminate}. @returns false where it does not run here. */
  terminate(this: void, taskId: string, signal: NodeJS.Signals): boolean
  counts(): WorkerCounts
  readonly requests: Requests
  /** See {@link Runner.setTimeLimits}. */
  setTimeLimits: Runner['setTimeLimits']
  /** See {@link RunningWorker.setRateLimit}. */
  setRateLimit(this: void, task: string, rate: RateLimit): void
}

export interface ProcessorParts extends Omit<WorkerParts, 'logicalClock' | 'tasks' | 'controlCommands'> {
  readonly tasks: TaskLookup
  readonly isRevoked: (message: TaskMessage) => boolean
  readonly hostname: string
  readonly pool: Pool
  readonly consumer: Consumer
  readonly settler: Settler
  readonly monitors: Monitors
  readonly sendEvent: SendEvent
  readonly clock: Clock
}

/**
 * A message goes through the intake into the waiting room, from there to the runner, and by its conclusion out of this
 * worker's hands; what cannot run is refused.
 */
export function createProcessor(parts: ProcessorParts): Processor {
  const { pool, consumer, clock, log } = parts
  const stopping = new AbortController()
  const persistence = { clock, log, signal: stopping.signal }
  const tally = startTally()
  const messages = createHeldMessages({ ...parts, persistence, tally })
  const callErrbacks = createCallErrbacks(parts)
  const continuation = createContinuation({ ...parts, callErrbacks, persistence })
  const observer = createObserver({
    ...parts,
    passedMs: () => clock.passedMs(),
    context: (request) =>
      createContext(request, {
        ...parts,
        controller: () => new AbortController(),
        store: (result) => messages.recorded(request, [result]),
      }),
  })
  const uniqueness = createUniqueness(parts)
  const refusals = createRefusals({
    ...parts,
    messages,
    continuation,
    observer,
    uniqueness,
    persistence,
    tally,
  })
  const conclude = createConclude({ ...parts, messages, refusals, continuation, observer, uniqueness, tally })
  const runner = createRunner({
    ...parts,
    messages,
    refusals,
    conclude,
    observer,
    uniqueness,
    tally,
    onBlocked: ({ message }, ms) => blocking?.noteCall(message, ms),
  })
  const blocking = runsHere(pool)
    ? createBlocking({
        running: () => runner.running().map(({ request }) => request.message),
        latest: () => runner.latest()?.message,
        log,
      })
    : undefined
  const room = createWaitingRoom({
    slots: pool.slots,
    consumer,
    persistence,
    start: (request) => limits.start(request),
    onLost(delivery) {
      limits.left([delivery])
      messages.letGo(delivery)
    },
    recorded: (request) => messages.recorded(request, []),
  })
  const limits = createLimits({
    ...parts,
    messages,
    holder: `${parts.hostname}:${randomUUID()}`,
    received: observer.received,
    room,
    slots: pool.slots,
    run: runner.run,
  })
  const intake = createIntake({ ...parts, messages, refusals, enter: limits.enter })

  return {
    load: messages,
    lookAhead: limits.lookAhead,
    demand: () => messages.unfinished + limits.ready(),
    process: intake,
    handBack(count) {
      const deliveries = room.takeLast(count)
      limits.handedBack(deliveries)
      return messages.handBack(deliveries)
    },
    async releaseWaiting() {
      pool.slots.clear()
      await messages.release([...room.takeLast(room.size), ...limits.takeAll()])
    },
    async releaseRunning() {
      stopping.abort()
      await messages.releaseBegun(runner.abort())
      limits.close()
      blocking?.stop()
    },
    terminate: runner.terminate,
    setTimeLimits: runner.setTimeLimits,
    requests: {
      running: runner.running,
      totals: runner.totals,
      waiting: () => [...room.waiting(), ...limits.waiting()],
    },
    setRateLimit: limits.setRateLimit,
    counts: () => ({ ...tally, active: pool.slots.active, reserved: room.size, lingering: runner.lingering }),
  }
}
