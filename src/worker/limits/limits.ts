import { describeValue, InvalidArgumentError } from '../../errors.js'
import { limitKeyOf, type RateLimit } from '../../app/rate-limit.js'
import { createAside, type KeyOf, type LimitedRequest } from './aside.js'
import { createConcurrencyLimits } from './concurrency.js'
import { createRates } from './rates.js'
import { createLookAhead, type LookAhead } from './look-ahead.js'
import type { Beginning, WaitingRoom } from '../waiting-room.js'
import type { Clock } from '../../clock.js'
import type { Coordination } from '../../coordination/coordination.js'
import type { Delivery } from '../../broker/broker.js'
import type { HeldMessages } from '../held-messages.js'
import type { Log } from '../../log.js'
import type { Request } from '../request.js'
import type { Settings } from '../../app/settings.js'
import type { Slots } from '../pool/slots.js'
import type { TaskLookup } from '../../app/registered-task.js'

/** What stands between the intake and the waiting room: rates first, then concurrency. See decision 8. */
export interface Limits {
  /** Have a request enter the waiting room as soon as its limits allow it. */
  enter(this: void, request: Request, beginning: Beginning): void
  /** Run a request that has a slot of the pool. */
  start(this: void, request: Request): void | Promise<void>
  setRateLimit(this: void, task: string, rate: RateLimit): void
  /** These have left the waiting room without having begun. */
  left(this: void, deliveries: readonly Delivery[]): void
  /** The same, and they waited for a slot only: they are to come next where they come again. */
  handedBack(this: void, deliveries: readonly Delivery[]): void
  readonly lookAhead: LookAhead
  /** How many could begin if there were slots for them. */
  ready(this: void): number
  /** What a limit keeps from running. */
  waiting(this: void): readonly Request[]
  /** The worker stops. @returns what waits here, to be handed back. */
  takeAll(): Delivery[]
  /** Nothing runs any more. */
  close(): void
}

export interface LimitsParts {
  readonly settings: Settings
  readonly tasks: TaskLookup
  readonly messages: HeldMessages
  readonly coordination: () => Coordination
  /** Names this worker among all. */
  readonly holder: string
  /** It will run here, unless the worker stops. */
  readonly received: (request: Request) => void
  readonly room: Pick<WaitingRoom, 'enter' | 'begin'>
  readonly slots: Slots
  readonly run: (request: Request) => void | Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/** Of the bytes that a worker holds, this share may be aside. */
const BYTES_SHARE = 4

export function createLimits(parts: LimitsParts): Limits {
  const { settings, tasks, messages, room, slots, clock, run } = parts
  const maxBytes = (settings.workerPrefetchMaxBytes || Infinity) / BYTES_SHARE
  const aside = createAside(messages, maxBytes)
  const told = new WeakSet<Request>()
  let arrivals = 0
  const tell = (request: Request): void => {
    if (told.has(request)) return
    told.add(request)
    parts.received(request)
  }
  const park = ({ delivery }: Request, until: Date): void => messages.park(delivery, until)
  // It is the author's function: what it throws must not keep the worker from its messages.
  const keyOf: KeyOf = (key, { id: taskId, task, args, kwargs }) => {
    try {
      return limitKeyOf(key, task, args, kwargs)
    } catch (error) {
      parts.log.error(
        { err: error, taskId, task },
        `the key of a limit of ${task} failed; it runs without the limit`,
      )
      return undefined
    }
  }
  const rates = createRates({ ...parts, aside, keyOf, park })
  const lookAhead = createLookAhead({ aside, slots, clock, isNeeded: () => concurrency.inHand > 0 })
  const concurrency = createConcurrencyLimits({
    ...parts,
    aside,
    lookAhead,
    keyOf,
    leaseMs: settings.workerLease * 1000,
    begin({ request, beginning }) {
      tell(request)
      return room.begin(request, beginning)
    },
    run,
    park,
    handBack: (deliveries) => void messages.handBack(deliveries),
    release: ({ delivery }) => void messages.release([delivery]),
  })
  /** An eager task may call itself, and wait for that. */
  const isCounted = ({ task }: Request): boolean =>
    task.options.concurrencyLimit !== undefined && !settings.taskAlwaysEager
  const pass = (limited: LimitedRequest): void => {
    if (concurrency.hold(limited)) return
    tell(limited.request)
    room.enter(limited.request, limited.beginning)
  }

  return {
    enter(request, beginning) {
      const rate = rates.rateOf(request.task)
      if (rate !== undefined) rates.wait({ request, beginning, arrival: ++arrivals }, rate, pass)
      else if (isCounted(request)) pass({ request, beginning, arrival: ++arrivals })
      else {
        parts.received(request)
        room.enter(request, beginning)
      }
    },
    start: (request) => (isCounted(request) ? (concurrency.start(request) ?? run(request)) : run(request)),
    setRateLimit(task, rate) {
      if (settings.workerDisableRateLimits)
        throw new InvalidArgumentError('rate limits are disabled by the setting workerDisableRateLimits')
      if (tasks.get(task) === undefined)
        throw new InvalidArgumentError(
          `rate limit: expected a task of this worker, got ${describeValue(task)}`,
        )
      rates.set(task, rate)
    },
    left: concurrency.left,
    handedBack(deliveries) {
      if (deliveries.length === 0) return
      concurrency.left(deliveries)
      concurrency.keepTurn()
    },
    lookAhead,
    ready: () => concurrency.ready,
    waiting: aside.waiting,
    takeAll: () => aside.close(),
    close() {
      rates.close()
      concurrency.close()
      lookAhead.close()
    },
  }
}
