import { describeThrown, type ExceptionObject } from '../serialization/exceptions.js'
import { childTuple, prepareFollowUps, prepareReplacement, sendRetry } from './follow-up.js'
import { failedEnding, type Ending } from './ending.js'
import { untilSent } from './until-sent.js'
import { keepsErrors, keepsResult, storedResult, type Request } from './request.js'
import type { CallErrbacks, Failure } from './errbacks.js'
import type { Persistence } from './persist.js'
import type { PrepareCanvas } from '../app/apply-canvas.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { Retry } from '../app/outcomes.js'
import type { SendTask } from '../app/send-task.js'
import type { Settings } from '../app/settings.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { StoredResult } from '../results/result-backend.js'

/**
 * The ends of a task that send messages of their own: callbacks, errbacks, retries.
 *
 * Their order is Celery's (wire protocol, section 13.1): what follows a success is sent before the result is
 * stored, so that the result can name its children; errbacks are sent after it. A retry is sent after the state RETRY
 * is stored, other than in Celery: it may be over before its sender does anything else, and RETRY would overwrite
 * its failure for good. The message itself is settled last, so whatever fails here is repeated, never dropped.
 */
export interface Continuation {
  /** @param started - here and below: the children of the task that it has sent itself. */
  afterSuccess(
    request: Request,
    value: unknown,
    started: readonly ResultTuple[],
  ): Promise<StoredResult | undefined>
  /** Of the task, and of all that was to follow it. */
  afterFailure(
    request: Request,
    exception: ExceptionObject,
    traceback: string,
    started: readonly ResultTuple[],
  ): Ending
  callErrbacks(request: Request, failure: Failure): Promise<void>
  /** What takes the place of the task, which leaves no result of its own. */
  sendReplacement(request: Request, signature: SignatureData): Promise<void>
  /** The state RETRY, to be stored before {@link sendRetry}. */
  beforeRetry(request: Request, retry: Retry, started: readonly ResultTuple[]): StoredResult[]
  sendRetry(request: Request, retry: Retry): Promise<void>
}

export interface ContinuationParts {
  readonly settings: Settings
  readonly send: SendTask
  readonly prepareCanvas: PrepareCanvas
  readonly callErrbacks: CallErrbacks
  readonly hostname: string
  readonly persistence: Persistence
}

export function createContinuation(parts: ContinuationParts): Continuation {
  const { settings, send, hostname, callErrbacks, persistence } = parts
  const { clock, log } = persistence

  return {
    async afterSuccess({ message, task }, value, started) {
      // What cannot be stored fails the task, and then nothing must follow its success.
      if (keepsResult(message, task, settings))
        storedResult(message, settings, hostname, { status: 'SUCCESS', result: value }, task)
      const followUps = prepareFollowUps(parts, message, value)
      for (const followUp of followUps) await untilSent(persistence, () => followUp.send())
      if (!keepsResult(message, task, settings)) return undefined
      const dateDone = new Date(clock.now())
      const children = [...started, ...followUps.map(childTuple)]
      const state = { status: 'SUCCESS', result: value, children, dateDone }
      return storedResult(message, settings, hostname, state, task)
    },

    afterFailure({ message, task }, exception, traceback, children) {
      const dateDone = new Date(clock.now())
      const state = { status: 'FAILURE', result: exception, traceback, children, dateDone } as const
      return failedEnding(message, task, state, settings, hostname)
    },

    async callErrbacks({ message }, failure) {
      await callErrbacks(message, message.errbacks, failure, persistence)
    },

    async sendReplacement({ message }, signature) {
      const prepared = prepareReplacement(parts, message, signature)
      await untilSent(persistence, () => prepared.send())
    },

    beforeRetry({ message, task }, retry, children) {
      const { exception, traceback } = describeThrown(retry.cause ?? retry)
      log.info(
        { taskId: message.id, task: message.task, retries: message.retries, when: retry.when },
        `Task ${message.task}[${message.id}] retry: ${exception.exc_type}`,
      )
      if (!keepsErrors(message, task, settings)) return []
      const state = { status: 'RETRY', result: exception, traceback, children }
      return [storedResult(message, settings, hostname, state, task)]
    },

    sendRetry: ({ message }, retry) => untilSent(persistence, () => sendRetry(send, message, retry)),
  }
}
