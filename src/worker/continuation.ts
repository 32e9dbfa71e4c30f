import { fullJitterMs } from '../backoff.js'
import { describeThrown, type ExceptionObject } from '../serialization/exceptions.js'
import { PublishError } from '../broker/errors.js'
import { sendCallbacks, sendErrbacks, sendRetry } from './follow-up.js'
import { keepsResult, storedResult, type Request } from './request.js'
import type { Clock } from '../clock.js'
import type { Log } from '../log.js'
import type { Retry } from '../app/outcomes.js'
import type { SendTask } from '../app/send-task.js'
import type { Settings } from '../app/settings.js'
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
  afterSuccess(request: Request, value: unknown): Promise<StoredResult | undefined>
  afterFailure(request: Request, exception: ExceptionObject, traceback: string): StoredResult[]
  sendErrbacks(request: Request): Promise<void>
  /** The state RETRY, to be stored before {@link sendRetry}. */
  beforeRetry(request: Request, retry: Retry): StoredResult[]
  sendRetry(request: Request, retry: Retry): Promise<void>
}

export interface ContinuationParts {
  readonly settings: Settings
  readonly send: SendTask
  readonly hostname: string
  readonly clock: Clock
  readonly log: Log
}

export function createContinuation(parts: ContinuationParts): Continuation {
  const { settings, send, hostname, clock, log } = parts

  return {
    async afterSuccess({ message, task }, value) {
      // What cannot be stored fails the task, and then nothing must follow its success.
      if (keepsResult(message, task, settings))
        storedResult(message, settings, hostname, { status: 'SUCCESS', result: value }, task)
      const children = await untilSent(clock, log, () => sendCallbacks(send, message, value))
      if (!keepsResult(message, task, settings)) return undefined
      const dateDone = new Date(clock.now())
      const state = { status: 'SUCCESS', result: value, children, dateDone }
      return storedResult(message, settings, hostname, state, task)
    },

    afterFailure({ message, task }, exception, traceback) {
      const state = { status: 'FAILURE', result: exception, traceback, dateDone: new Date(clock.now()) }
      const own = keepsResult(message, task, settings)
        ? [storedResult(message, settings, hostname, state, task)]
        : []
      // Whoever waits for a later step of the chain learns here that it will not come (section 12.3).
      const later = message.chain.flatMap(({ options }) => {
        if (typeof options.task_id !== 'string') return []
        return [storedResult({ ...message, id: options.task_id }, settings, hostname, state)]
      })
      return [...own, ...later]
    },

    sendErrbacks: ({ message }) => untilSent(clock, log, () => sendErrbacks(send, message)),

    beforeRetry({ message, task }, retry) {
      const { exception, traceback } = describeThrown(retry.cause ?? retry)
      log.info(
        { taskId: message.id, task: message.task, retries: message.retries, when: retry.when },
        `Task ${message.task}[${message.id}] retry: ${exception.exc_type}`,
      )
      if (!keepsResult(message, task, settings)) return []
      return [
        storedResult(message, settings, hostname, { status: 'RETRY', result: exception, traceback }, task),
      ]
    },

    sendRetry: ({ message }, retry) => untilSent(clock, log, () => sendRetry(send, message, retry)),
  }
}

const BACKOFF = { firstMs: 50, longestMs: 2000 }

/**
 * Try until the broker has taken it. Where a message may have been sent already it is sent again: a callback that
 * runs twice is at least once, one that never runs is lost.
 *
 * @throws whatever is no PublishError, such as an EncodeError: trying again would not help.
 */
async function untilSent<T>(clock: Clock, log: Log, action: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof PublishError) || error.code === 'BROKER_CLOSED') throw error
      log.warn({ err: error }, 'could not send what follows a task; trying again')
      await clock.sleep(fullJitterMs(attempt, BACKOFF))
    }
  }
}
