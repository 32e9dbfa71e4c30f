import { describeThrown } from '../serialization/exceptions.js'
import { hasFollowUps } from './follow-up.js'
import { partOf, type PendingPart } from './ending.js'
import { keepsResult, storedResult, type Request } from './request.js'
import type { Clock } from '../clock.js'
import type { Continuation } from './continuation.js'
import type { Delivery } from '../broker/broker.js'
import type { HeldMessages } from './held-messages.js'
import type { Log } from '../log.js'
import type { Outcome } from './outcome.js'
import type { Refusals } from './refusals.js'
import type { Retry } from '../app/outcomes.js'
import type { Settings } from '../app/settings.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { StoredResult } from '../results/result-backend.js'
import type { Tally } from './tally.js'
import type { TaskMessage } from '../serialization/task-message.js'

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
  readonly clock: Clock
  readonly log: Log
  readonly tally: Tally
}

export function createConclude(parts: ConclusionParts): Conclude {
  const { settings, hostname, messages, refusals, continuation, clock, log, tally } = parts
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
        (error: unknown) => fail(request, delivery, error),
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
        return fail(request, delivery, error)
      }
    }
    succeeded(request, delivery, value, result, startedAt)
  }

  const succeeded = (
    { message }: Request,
    delivery: Delivery | undefined,
    value: unknown,
    result: StoredResult | undefined,
    startedAt: number,
  ): void => {
    tally.succeeded++
    if (logsTasks) {
      const runtime = (clock.now() - startedAt) / 1000
      const text = `Task ${message.task}[${message.id}] succeeded in ${runtime}s`
      log.info({ taskId: message.id, task: message.task, runtime }, text)
    }
    messages.settle(message, delivery, result === undefined ? [] : [result], partsOf(message, value))
  }

  const fail = (request: Request, delivery: Delivery | undefined, thrown: unknown): void | Promise<void> => {
    const { message } = request
    tally.failed++
    const { exception, traceback } = describeThrown(thrown)
    const text = `Task ${message.task}[${message.id}] raised ${exception.exc_type}`
    log.error({ taskId: message.id, task: message.task, err: thrown, retries: message.retries }, text)
    const { results, parts: chordParts } = continuation.afterFailure(request, exception, traceback)
    if (message.errbacks.length === 0) {
      messages.settle(message, delivery, results, chordParts)
      return
    }
    return messages
      .recorded(request, results, chordParts)
      .then(() => continuation.callErrbacks(request, { exception, traceback, thrown }))
      .catch((error: unknown) => {
        log.error({ err: error, taskId: message.id }, 'an errback could not be sent')
      })
      .then(() => messages.settle(message, delivery))
  }

  const handOver = (
    request: Request,
    delivery: Delivery | undefined,
    signature: SignatureData,
  ): Promise<void> =>
    continuation.sendReplacement(request, signature).then(
      () => {
        log.info({ taskId: request.message.id, by: signature.task }, 'a task was replaced')
        messages.settle(request.message, delivery)
      },
      (error: unknown) => fail(request, delivery, error),
    )

  /** What the chord that waits for this task is told: undefined for nearly all tasks. */
  const partsOf = (message: TaskMessage, value: unknown): readonly PendingPart[] | undefined => {
    if (message.chord === undefined) return undefined
    const part = partOf(message, 'SUCCESS', value, settings)
    return part && [part]
  }

  const runAgain = (request: Request, delivery: Delivery | undefined, retry: Retry): Promise<void> => {
    tally.retried++
    return messages
      .recorded(request, continuation.beforeRetry(request, retry))
      .then(() => continuation.sendRetry(request, retry))
      .then(
        () => messages.settle(request.message, delivery),
        (error: unknown) => fail(request, delivery, error),
      )
  }

  return (request, delivery, outcome, startedAt) => {
    switch (outcome.kind) {
      case 'success':
        return succeed(request, delivery, outcome, startedAt)
      case 'failure':
        return fail(request, delivery, outcome.thrown)
      case 'retry':
        return runAgain(request, delivery, outcome.retry)
      case 'replace':
        return handOver(request, delivery, outcome.signature)
      case 'ignore':
        messages.settle(request.message, delivery)
        return
      case 'reject':
        if (delivery === undefined) return
        if (outcome.requeue) messages.requeue(delivery)
        else refusals.refuseRejected(request.message, delivery, outcome.reason)
    }
  }
}
