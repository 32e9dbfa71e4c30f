import { DescribedError, describeThrown } from '../serialization/exceptions.js'
import { hasFollowUps } from './follow-up.js'
import { isRunAgain, refuseLost } from './redelivery.js'
import { partOf, type PendingPart } from './ending.js'
import { keepsResult, storedResult, type Request } from './request.js'
import type { ErrorClass } from '../app/task-options.js'
import type { Clock } from '../clock.js'
import type { Continuation } from './continuation.js'
import type { Delivery } from '../broker/broker.js'
import type { HeldMessages } from './held-messages.js'
import type { Log } from '../log.js'
import type { Monitors, TaskEnd } from './monitors.js'
import type { Observer, RunEnd } from './observer.js'
import type { Outcome } from './outcome.js'
import type { Refusals } from './refusals.js'
import type { Retry } from '../app/outcomes.js'
import type { RegisteredTask } from '../app/registered-task.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { WorkerLostError } from '../app/outcomes.js'
import type { Settings } from '../app/settings.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { StoredResult } from '../results/result-backend.js'
import type { Tally } from './tally.js'
import type { TaskMessage } from '../serialization/task-message.js'
import type { Uniqueness } from './uniqueness.js'

/**
 * Do what the end of a task asks for: send what follows it, store its result, and settle its message.
 *
 * @param delivery - What to settle; undefined where it was acknowledged before the task ran.
 * @param startedAt - By the clock, for the log.
 * @returns a promise only where something has to be waited for that holds the task's slot.
 */
export type Conclude = (
  request: Request,
  delivery: Delivery | undefined,
  outcome: Outcome,
  startedAt: number,
) => void | Promise<void>

export interface ConclusionParts {
  readonly settings: Settings
  readonly hostname: string
  readonly messages: HeldMessages
  readonly refusals: Refusals
  readonly continuation: Continuation
  readonly observer: Observer
  readonly monitors: Monitors
  readonly uniqueness: Uniqueness
  readonly clock: Clock
  readonly log: Log
  readonly tally: Tally
}

export function createConclude(parts: ConclusionParts): Conclude {
  const {
    settings,
    hostname,
    messages,
    refusals,
    continuation,
    observer,
    monitors,
    uniqueness,
    clock,
    log,
    tally,
  } = parts
  const logsTasks = log.isLevelEnabled('info')

  const succeed = (
    request: Request,
    delivery: Delivery | undefined,
    { value, children }: Extract<Outcome, { kind: 'success' }>,
    startedAt: number,
  ): void | Promise<void> => {
    const { message, task } = request
    if (hasFollowUps(message)) {
      return continuation.afterSuccess(request, value, children).then(
        (result) => succeeded(request, delivery, value, result, startedAt),
        (error: unknown) => fail(request, delivery, error, startedAt),
      )
    }
    let result: StoredResult | undefined
    if (keepsResult(message, task, settings)) {
      try {
        const dateDone = new Date(clock.now())
        result = storedResult(
          message,
          settings,
          hostname,
          { status: 'SUCCESS', result: value, children, dateDone },
          task,
        )
      } catch (error) {
        return fail(request, delivery, error, startedAt)
      }
    }
    return succeeded(request, delivery, value, result, startedAt)
  }

  const succeeded = (
    request: Request,
    delivery: Delivery | undefined,
    value: unknown,
    result: StoredResult | undefined,
    startedAt: number,
  ): void | Promise<void> => {
    const { message } = request
    tally.succeeded++
    if (logsTasks) {
      const runtime = (clock.now() - startedAt) / 1000
      const text = `Task ${message.task}[${message.id}] succeeded in ${runtime}s`
      log.info({ taskId: message.id, task: message.task, runtime }, text)
    }
    const recorded = monitors.current?.ended(message, {
      kind: 'succeeded',
      value,
      runtimeSeconds: (clock.now() - startedAt) / 1000,
    })
    messages.settle(
      message,
      delivery,
      result === undefined ? [] : [result],
      partsOf(message, value),
      recorded,
    )
    return tell(request, { state: 'SUCCESS', value }, startedAt)
  }

  const fail = (
    request: Request,
    delivery: Delivery | undefined,
    thrown: unknown,
    startedAt: number,
    children: readonly ResultTuple[] = [],
  ): void | Promise<void> => {
    const { message, task } = request
    tally.failed++
    const { exception, traceback } = describeThrown(thrown)
    const text = `Task ${message.task}[${message.id}] raised ${exception.exc_type}`
    const fields = { taskId: message.id, task: message.task, retries: message.retries }
    if (isExpected(task, thrown)) log.info(fields, `${text}, which it may`)
    else log.error({ ...fields, err: thrown }, text)
    const { results, parts: chordParts } = continuation.afterFailure(request, exception, traceback, children)
    const end: RunEnd = { state: 'FAILURE', value: thrown }
    const recorded = monitors.current?.ended(message, { kind: 'failed', exception, traceback })
    const isBuried = delivery !== undefined && !acksOnFailure(task, settings)
    if (message.errbacks.length === 0 && !isBuried) {
      messages.settle(message, delivery, results, chordParts, recorded)
      return tell(request, end, startedAt)
    }
    return messages
      .recorded(request, results, chordParts)
      .then(() => continuation.callErrbacks(request, { exception, traceback, thrown }))
      .catch((error: unknown) => {
        log.error({ err: error, taskId: message.id }, 'an errback could not be sent')
      })
      .then(() => {
        if (isBuried) messages.bury(delivery, { code: 'TASK_FAILED', message: text }, message.id)
        else messages.settle(message, delivery)
        recorded?.()
        return tell(request, end, startedAt)
      })
  }

  const tell = (request: Request, end: RunEnd, startedAt: number): void | Promise<void> =>
    observer.watches(request) ? observer.ended(request, end, startedAt) : undefined

  const handOver = (
    request: Request,
    delivery: Delivery | undefined,
    signature: SignatureData,
    startedAt: number,
  ): Promise<void> =>
    continuation.sendReplacement(request, signature).then(
      () => {
        log.info({ taskId: request.message.id, by: signature.task }, 'a task was replaced')
        messages.settle(request.message, delivery)
        return tell(request, { state: 'REPLACED' }, startedAt)
      },
      (error: unknown) => fail(request, delivery, error, startedAt),
    )

  /** What the chord that waits for this task is told: undefined for nearly all tasks. */
  const partsOf = (message: TaskMessage, value: unknown): readonly PendingPart[] | undefined => {
    if (message.chord === undefined) return undefined
    const part = partOf(message, 'SUCCESS', value, settings)
    return part && [part]
  }

  const runAgain = (
    request: Request,
    delivery: Delivery | undefined,
    { retry, children = [] }: Extract<Outcome, { kind: 'retry' }>,
    startedAt: number,
  ): Promise<void> => {
    tally.retried++
    const end: RunEnd = { state: 'RETRY', value: retry.cause ?? retry, eta: retry.when }
    const recorded = monitors.current?.ended(request.message, retried(retry))
    return (
      messages
        .recorded(request, continuation.beforeRetry(request, retry, children))
        // Before the next run can begin, and be told of.
        .then(() => {
          recorded?.()
          return tell(request, end, startedAt)
        })
        .then(() => continuation.sendRetry(request, retry))
        .then(
          () => messages.settle(request.message, delivery),
          (error: unknown) => fail(request, delivery, error, startedAt),
        )
    )
  }

  /** Its message runs again, counted as lost (decision 5), where its author does not forbid that. */
  const lose = (
    request: Request,
    delivery: Delivery | undefined,
    error: WorkerLostError,
    startedAt: number,
  ): void | Promise<void> => {
    if (delivery === undefined) return fail(request, delivery, error, startedAt)
    const { message, task } = request
    const text = `Task ${message.task}[${message.id}] was lost: ${error.message}`
    log.error({ taskId: message.id, task: message.task }, text)
    if (isRunAgain(task, settings)) {
      monitors.current?.ended(message, { kind: 'rejected', requeue: true })()
      messages.putBackLost(delivery)
      return tell(request, { state: 'REJECTED' }, startedAt)
    }
    return refusals
      .giveUp(request, refuseLost(error.message))
      .then(() => tell(request, { state: 'FAILURE', value: error }, startedAt))
  }

  const requeue = ({ message }: Request, delivery: Delivery): void => {
    monitors.current?.ended(message, { kind: 'rejected', requeue: true })()
    messages.requeue(delivery)
  }

  const conclude: Conclude = (request, delivery, outcome, startedAt) => {
    switch (outcome.kind) {
      case 'success':
        return succeed(request, delivery, outcome, startedAt)
      case 'failure':
        return fail(request, delivery, outcome.thrown, startedAt, outcome.children)
      case 'lost':
        return lose(request, delivery, outcome.thrown, startedAt)
      case 'retry':
        return runAgain(request, delivery, outcome, startedAt)
      case 'replace':
        return handOver(request, delivery, outcome.signature, startedAt)
      case 'ignore':
        messages.settle(request.message, delivery)
        return tell(request, { state: 'IGNORED' }, startedAt)
      case 'reject':
        if (delivery === undefined) return tell(request, { state: 'REJECTED' }, startedAt)
        if (outcome.requeue) requeue(request, delivery)
        else refusals.refuseRejected(request.message, delivery, outcome.reason)
        return tell(request, { state: 'REJECTED' }, startedAt)
    }
  }

  return (request, delivery, outcome, startedAt) => {
    const givenBack = isEnd(outcome) ? uniqueness.ends(request.message) : undefined
    return givenBack === undefined
      ? conclude(request, delivery, outcome, startedAt)
      : givenBack.then(() => conclude(request, delivery, outcome, startedAt))
  }
}

/** It does not run again under this message. */
function isEnd(outcome: Outcome): boolean {
  return outcome.kind !== 'retry' && !(outcome.kind === 'reject' && outcome.requeue)
}

function retried({ cause }: Retry): TaskEnd {
  const { exception, traceback } = describeThrown(cause)
  return { kind: 'retried', exception: cause === undefined ? undefined : exception, traceback }
}

/** One of the task's `throws`. */
function isExpected({ options }: RegisteredTask, thrown: unknown): boolean {
  const isInstance = (type: ErrorClass): boolean =>
    thrown instanceof DescribedError ? thrown.classes.includes(type.name) : thrown instanceof type
  return options.throws?.some(isInstance) ?? false
}

/** `acksOnFailureOrTimeout` of the task, else the setting. */
function acksOnFailure({ options }: RegisteredTask, settings: Settings): boolean {
  return options.acksOnFailureOrTimeout ?? settings.taskAcksOnFailureOrTimeout
}
