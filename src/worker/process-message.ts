import { LovageError } from '../errors.js'
import { describeThrown, type ExceptionObject } from '../serialization/exceptions.js'
import { parseEnvelope } from '../serialization/envelope.js'
import { isSigned } from '../serialization/message-signature.js'
import { readEarlierDeliveries, type EarlierDeliveries } from '../serialization/earlier-deliveries.js'
import { resolveAcceptContent } from '../serialization/serializers.js'
import { decodeTaskMessage, type TaskMessage } from '../serialization/task-message.js'
import { createContinuation } from './continuation.js'
import { createWaitingRoom, type Beginning } from './waiting-room.js'
import { execute, type Execution } from './execute.js'
import { hasFollowUps, unsupportedCanvas } from './follow-up.js'
import { keepsResult, storedResult, type Request } from './request.js'
import { persist, type Persistence } from './persist.js'
import { isRunAgain, refuseRedelivery, type Refusal } from './redelivery.js'
import { decide, isExpired } from './strategy.js'
import type { Clock } from '../clock.js'
import type { RegisteredTask } from '../app/registered-task.js'
import type { Consumer, DeadLetterReason, Delivery } from '../broker/broker.js'
import type { Outcome } from './outcome.js'
import type { StoredResult } from '../results/result-backend.js'
import type { Pool } from './pool/pool.js'
import type { Settler } from './settle.js'
import type { WorkerCounts, WorkerParts } from '../app/worker-options.js'

/** Follows each delivery from its arrival to its settlement. */
export interface Processor {
  /** Messages that count for the prefetch: claimed and not yet done with. */
  readonly held: number
  /** The same, and tasks that run although their message is acknowledged. */
  readonly unfinished: number
  /** How many tasks ended since the start. */
  readonly ended: number
  process(delivery: Delivery): void
  /** Call `listener` whenever fewer are held than before. */
  onRoom(listener: () => void): void
  /** Hand back the last `count` of those that wait for a slot: others may have one. */
  handBack(count: number): Promise<void>
  /** Hand back what has not begun. */
  releaseWaiting(): Promise<void>
  /** Abort what runs, and hand it back. */
  releaseRunning(): Promise<void>
  counts(): WorkerCounts
}

/**
 * So many outcomes may be on their way to Redis without holding up the next claim: the event loop works on while
 * Redis writes. More of them say that Redis is slower than the tasks, and then claiming waits.
 */
const MOST_SETTLING = 1000
/** What nearly all tasks need to begin. */
const AT_ONCE: Beginning = { isNoted: false, isSuspect: false }

export interface ProcessorParts extends WorkerParts {
  readonly hostname: string
  readonly pool: Pool
  readonly consumer: Consumer
  readonly settler: Settler
  readonly clock: Clock
}

export function createProcessor(parts: ProcessorParts): Processor {
  const { settings, tasks, hostname, pool, consumer, settler, backend, clock, log } = parts
  const acceptContent = resolveAcceptContent(settings.acceptContent, settings.auth)
  const { messageSigner } = settings
  const sharesMemory = isSameServer(settings.broker, settings.backend)
  const running = new Map<Delivery, Execution>()
  const continuation = createContinuation(parts)
  const stopping = new AbortController()
  const persistence: Persistence = { clock, log, signal: stopping.signal }
  /** Claimed, and its outcome not known yet. */
  let held = 0
  let acknowledgedRunning = 0
  let ended = 0
  /** The outcome is known and being recorded. */
  let settling = 0
  const counts = { started: 0, succeeded: 0, failed: 0, retried: 0, deadLettered: 0 }
  const logsTasks = log.isLevelEnabled('info')
  let onRoom: (() => void) | undefined

  const letGo = (): void => {
    held--
    onRoom?.()
  }
  const settled = (): void => {
    settling--
    onRoom?.()
  }
  /** What recording a state of this message's task frees at last. */
  const frees = (delivery: Delivery): number => (sharesMemory ? delivery.envelope.length : 0)
  /** Store results, if there are any, and acknowledge the message, if that is still to be done. */
  const settle = (
    message: TaskMessage,
    delivery: Delivery | undefined,
    results: readonly StoredResult[] = [],
  ): void => {
    if (delivery === undefined) {
      if (results.length > 0) settler.add({ results, message })
      return
    }
    settling++
    settler.add({ results, message, frees: frees(delivery), ack: delivery.tag, onSettled: settled })
    ended++
    letGo()
  }
  /** Resolves when the results are stored; the message is not touched. */
  const recorded = ({ message, delivery }: Request, results: readonly StoredResult[]): Promise<void> =>
    new Promise((resolve) => {
      settler.add({ results, message, frees: frees(delivery), onSettled: resolve })
    })
  const release = async (deliveries: readonly Delivery[]): Promise<void> => {
    if (deliveries.length === 0) return
    try {
      await consumer.release(deliveries)
    } catch (error) {
      // They stay in unacked: whoever notices that this lease has run out puts them back.
      log.error({ err: error, count: deliveries.length }, 'could not hand messages back at the stop')
    }
  }
  /** Do what cannot be batched, for as long as it takes; the message is held meanwhile. */
  const handOver = async (what: string, action: () => Promise<void>, onDone = letGo): Promise<void> => {
    const done = await persist(`${what} a message`, action, persistence)
    if (done !== undefined) onDone()
  }

  const bury = (delivery: Delivery, reason: DeadLetterReason, taskId?: string): void => {
    counts.deadLettered++
    log.error({ taskId, queue: delivery.queue, code: reason.code }, `message refused: ${reason.message}`)
    void handOver('bury', () => consumer.bury(delivery, reason))
  }

  const process = (delivery: Delivery): void => {
    held++
    let message: TaskMessage
    let earlier: EarlierDeliveries
    try {
      const envelope = parseEnvelope(delivery.envelope)
      if (messageSigner !== undefined && (!settings.acceptUnsignedMessages || isSigned(envelope)))
        messageSigner.verify(envelope)
      earlier = readEarlierDeliveries(envelope)
      message = decodeTaskMessage(envelope, { acceptContent })
    } catch (error) {
      if (!(error instanceof LovageError)) log.error({ err: error }, 'a message could not be decoded')
      bury(delivery, reasonOf(error))
      return
    }
    const decision = decide(message, { tasks, now: clock.now(), isDue: delivery.isDue })
    switch (decision.kind) {
      case 'execute': {
        const unsupported = unsupportedCanvas(message)
        if (unsupported !== undefined) {
          bury(
            delivery,
            { code: 'UNSUPPORTED_CANVAS', message: `${message.task}: ${unsupported}` },
            message.id,
          )
          return
        }
        const request = { delivery, message, task: decision.task }
        const refusal = refuseRedelivery(earlier, decision.task, settings)
        if (refusal === undefined) room.enter(request, beginningOf(decision.task, earlier))
        else void giveUp(request, refusal)
        return
      }
      case 'park':
        void handOver('park', () => consumer.park(delivery, decision.until))
        return
      case 'expire':
        expire(delivery, message)
        return
      case 'refuse':
        refuseUnknown(delivery, message, decision.error)
    }
  }

  /** Expired: REVOKED, as Celery has it (wire protocol, section 13.3). */
  const expire = (delivery: Delivery | undefined, message: TaskMessage): void => {
    log.info({ taskId: message.id, task: message.task }, `${message.task}[${message.id}] expired`)
    const result = stateOf(message, 'REVOKED', celeryException('TaskRevokedError', 'expired'))
    settle(message, delivery, message.ignoreResult ? [] : [result])
  }

  /** Unknown: FAILURE for whoever waits, and a dead letter for whoever operates (section 13.8). */
  const refuseUnknown = (delivery: Delivery, message: TaskMessage, error: LovageError): void => {
    const result = stateOf(message, 'FAILURE', celeryException('NotRegistered', message.task))
    if (message.ignoreResult) bury(delivery, reasonOf(error), message.id)
    else
      settler.add({
        results: [result],
        message,
        onSettled: () => bury(delivery, reasonOf(error), message.id),
      })
  }

  /** Lost too often: FAILURE for whoever waits, then a dead letter. */
  const giveUp = async (request: Request, { reason, exception }: Refusal): Promise<void> => {
    const { delivery, message } = request
    const status = await storedStatus(request)
    if (status === undefined) return
    if (status.value === 'SUCCESS') {
      log.info({ taskId: message.id, task: message.task }, 'a task had succeeded when its worker was lost')
      settle(message, delivery)
      return
    }
    counts.failed++
    try {
      await recorded(request, continuation.afterFailure(request, exception, ''))
      await continuation.sendErrbacks(request)
    } catch (error) {
      log.error({ err: error, taskId: message.id }, 'an errback could not be sent')
    }
    bury(delivery, reason, message.id)
  }

  /** Undefined where this worker stops before the backend answers. */
  const storedStatus = async ({
    message,
    task,
  }: Request): Promise<{ readonly value: string | undefined } | undefined> => {
    if (!keepsResult(message, task, settings)) return { value: undefined }
    const fetch = async (): Promise<string | undefined> => (await backend.fetch(message.id))?.status
    return persist('read the result of a lost task', fetch, persistence)
  }

  const stateOf = (
    message: TaskMessage,
    status: 'FAILURE' | 'REVOKED',
    exception: ExceptionObject,
  ): StoredResult =>
    storedResult(message, settings, hostname, { status, result: exception, dateDone: new Date(clock.now()) })

  const isLate = ({ options }: RegisteredTask): boolean => options.acksLate ?? settings.taskAcksLate

  const beginningOf = (task: RegisteredTask, { lost, hasBegun }: EarlierDeliveries): Beginning => {
    const isNoted = isLate(task) && (lost > 0 || !isRunAgain(task, settings))
    return isNoted || hasBegun ? { isNoted, isSuspect: hasBegun } : AT_ONCE
  }

  /** Acknowledged before it runs: it may then be lost with this process, as its author has chosen. */
  const runAcknowledged = async (request: Request): Promise<void> => {
    await new Promise<void>((resolve) => settler.add({ ack: request.delivery.tag, onSettled: resolve }))
    acknowledgedRunning++
    letGo()
    await run(request, undefined)
    acknowledgedRunning--
    ended++
    onRoom?.()
  }

  /** @param delivery - what to acknowledge afterwards; undefined where that is done already. */
  const run = (request: Request, delivery: Delivery | undefined): void | Promise<void> => {
    const { message, task } = request
    if (isExpired(message, clock.now())) {
      expire(delivery, message)
      return
    }
    counts.started++
    const startedAt = clock.now()
    if (task.options.trackStarted ?? settings.taskTrackStarted) storeStarted(request)
    const execution = execute(request, timeLimits(request), {
      hostname,
      log,
      settings,
      store: (result) => recorded(request, [result]),
    })
    if (!(execution.outcome instanceof Promise))
      return conclude(request, delivery, execution.outcome, startedAt)
    running.set(request.delivery, execution)
    return execution.outcome.then((outcome) => {
      // Handed back meanwhile, at a stop: it is somebody else's now.
      if (!running.delete(request.delivery)) return
      return conclude(request, delivery, outcome, startedAt)
    })
  }

  const storeStarted = ({ delivery, message, task }: Request): void => {
    if (!keepsResult(message, task, settings)) return
    const info = { pid: globalThis.process.pid, hostname }
    const result = storedResult(message, settings, hostname, { status: 'STARTED', result: info })
    settler.add({ results: [result], message, frees: frees(delivery) })
  }

  const timeLimits = ({
    message,
    task,
  }: Request): { hard: number | undefined; soft: number | undefined } => ({
    hard: message.hardTimeLimit || (task.options.timeLimit ?? settings.taskTimeLimit),
    soft: message.softTimeLimit || (task.options.softTimeLimit ?? settings.taskSoftTimeLimit),
  })

  const conclude = (
    request: Request,
    delivery: Delivery | undefined,
    outcome: Outcome,
    startedAt: number,
  ): void | Promise<void> => {
    switch (outcome.kind) {
      case 'success':
        return succeed(request, delivery, outcome.value, startedAt)
      case 'failure':
        return fail(request, delivery, outcome.thrown)
      case 'retry':
        counts.retried++
        return recorded(request, continuation.beforeRetry(request, outcome.retry))
          .then(() => continuation.sendRetry(request, outcome.retry))
          .then(
            () => settle(request.message, delivery),
            (error: unknown) => fail(request, delivery, error),
          )
      case 'ignore':
        settle(request.message, delivery)
        return
      case 'reject':
        if (delivery === undefined) return
        if (outcome.requeue) void handOver('requeue', () => consumer.requeue(delivery))
        else bury(delivery, { code: 'REJECTED', message: outcome.reason }, request.message.id)
    }
  }

  const succeed = (
    request: Request,
    delivery: Delivery | undefined,
    value: unknown,
    startedAt: number,
  ): void | Promise<void> => {
    const { message, task } = request
    const succeeded = (result: StoredResult | undefined): void => {
      counts.succeeded++
      if (logsTasks) {
        const runtime = (clock.now() - startedAt) / 1000
        const text = `Task ${message.task}[${message.id}] succeeded in ${runtime}s`
        log.info({ taskId: message.id, task: message.task, runtime }, text)
      }
      settle(message, delivery, result === undefined ? [] : [result])
    }
    if (hasFollowUps(message)) {
      return continuation
        .afterSuccess(request, value)
        .then(succeeded, (error: unknown) => fail(request, delivery, error))
    }
    if (!keepsResult(message, task, settings)) {
      succeeded(undefined)
      return
    }
    let result: StoredResult
    try {
      const dateDone = new Date(clock.now())
      result = storedResult(message, settings, hostname, { status: 'SUCCESS', result: value, dateDone })
    } catch (error) {
      return fail(request, delivery, error)
    }
    succeeded(result)
  }

  const fail = (request: Request, delivery: Delivery | undefined, thrown: unknown): void | Promise<void> => {
    const { message } = request
    counts.failed++
    const { exception, traceback } = describeThrown(thrown)
    const text = `Task ${message.task}[${message.id}] raised ${exception.exc_type}`
    log.error({ taskId: message.id, task: message.task, err: thrown, retries: message.retries }, text)
    const results = continuation.afterFailure(request, exception, traceback)
    if (message.errbacks.length === 0) {
      settle(message, delivery, results)
      return
    }
    return recorded(request, results)
      .then(() => continuation.sendErrbacks(request))
      .then(
        () => settle(message, delivery),
        (error: unknown) => {
          log.error({ err: error, taskId: message.id }, 'an errback could not be sent')
          settle(message, delivery)
        },
      )
  }

  const room = createWaitingRoom({
    pool,
    consumer,
    persistence,
    start: (request) => (isLate(request.task) ? run(request, request.delivery) : runAcknowledged(request)),
    onLost: letGo,
    recorded: (request) => recorded(request, []),
  })

  return {
    get held() {
      return held + Math.max(0, settling - MOST_SETTLING)
    },
    get unfinished() {
      return this.held + acknowledgedRunning
    },
    get ended() {
      return ended
    },
    async handBack(count) {
      const deliveries = room.takeLast(count)
      if (deliveries.length === 0) return
      await handOver(
        'hand back',
        () => consumer.release(deliveries),
        () => {
          held -= deliveries.length
          onRoom?.()
        },
      )
    },
    process,
    onRoom(listener) {
      onRoom = listener
    },
    async releaseWaiting() {
      pool.clear()
      await release(room.takeLast(room.size))
    },
    async releaseRunning() {
      stopping.abort()
      const deliveries = [...running.keys()]
      for (const execution of running.values()) execution.abort(new Error('the worker stops'))
      running.clear()
      if (deliveries.length === 0) return
      log.warn(
        { count: deliveries.length },
        'tasks did not end in time; they are handed back and will run again',
      )
      await release(deliveries)
    },
    counts: () => ({ ...counts, active: pool.active, reserved: room.size }),
  }
}

function reasonOf(error: unknown): DeadLetterReason {
  if (error instanceof LovageError) return { code: error.code, message: error.message }
  return { code: 'UNREADABLE', message: error instanceof Error ? error.message : String(error) }
}

function celeryException(type: string, argument: string): ExceptionObject {
  return { exc_type: type, exc_message: [argument], exc_module: 'celery.exceptions' }
}

/** Whether two URLs lead to the same server; in doubt they do not. */
function isSameServer(one: string, other: string | undefined): boolean {
  const withoutDatabase = (url: string): string => url.replace(/^([^:]*:\/\/[^/?]+)\/\d*$/, '$1')
  return other !== undefined && withoutDatabase(one) === withoutDatabase(other)
}
