import { constants } from 'node:os'
import { persist, type Persistence } from './persist.js'
import { failedEnding, type Ending } from './ending.js'
import { keepsResult, type Request } from './request.js'
import type { Continuation } from './continuation.js'
import type { DeadLetterReason, Delivery } from '../broker/broker.js'
import { describeThrown, type ExceptionObject } from '../serialization/exceptions.js'
import type { HeldMessages } from './held-messages.js'
import type { Monitors, TaskEnd } from './monitors.js'
import type { Observer } from './observer.js'
import type { Refusal } from './redelivery.js'
import type { LovageError } from '../errors.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { Settings } from '../app/settings.js'
import type { Settler } from './settle.js'
import type { Tally } from './tally.js'
import type { Tracing } from '../app/tracing.js'
import type { Uniqueness } from './uniqueness.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** The ends of messages whose task does not run, told to whoever waits for its result. */
export interface Refusals {
  /** Expired: REVOKED, as Celery has it (wire protocol, section 13.3). */
  expire(message: TaskMessage, delivery: Delivery | undefined): void
  /** Revoked before it began, or `terminated` while it ran (section 13.6). */
  revoke(
    message: TaskMessage,
    delivery: Delivery | undefined,
    how: 'revoked' | 'terminated',
    signal?: NodeJS.Signals,
  ): void
  /** Unknown: FAILURE for whoever waits, and a dead letter for whoever operates (section 13.8). */
  refuseUnknown(message: TaskMessage, delivery: Delivery, reason: DeadLetterReason): void
  /** What follows the task cannot be read: it does not run, as that would be half of what was asked for. */
  refuseCanvas(message: TaskMessage, delivery: Delivery, error: LovageError): void
  /** Refused by the task itself. Nothing is stored of it, but whoever waits for what was to follow is told. */
  refuseRejected(message: TaskMessage, delivery: Delivery, reason: string): void
  /** Lost too often: FAILURE for whoever waits, then a dead letter. */
  giveUp(request: Request, refusal: Refusal): Promise<void>
}

export interface RefusalsParts {
  readonly settings: Settings
  readonly hostname: string
  readonly backend: ResultBackend
  readonly settler: Settler
  readonly messages: HeldMessages
  readonly continuation: Continuation
  readonly observer: Observer
  readonly monitors: Monitors
  readonly uniqueness: Uniqueness
  readonly tracing: Tracing | undefined
  readonly persistence: Persistence
  readonly tally: Tally
}

export function createRefusals(parts: RefusalsParts): Refusals {
  const {
    settings,
    hostname,
    backend,
    settler,
    messages,
    continuation,
    observer,
    monitors,
    tracing,
    persistence,
    tally,
  } = parts
  const { endsBefore } = parts.uniqueness
  const { clock, log } = persistence

  const endingOf = (message: TaskMessage, status: 'FAILURE' | 'REVOKED', result: ExceptionObject): Ending =>
    failedEnding(message, undefined, { status, result, dateDone: new Date(clock.now()) }, settings, hostname)

  const buryAfter = (
    { results, parts: chordParts }: Ending,
    message: TaskMessage,
    delivery: Delivery,
    reason: DeadLetterReason,
    end: TaskEnd,
  ): void => {
    const recorded = monitors.current?.ended(message, end)
    const bury = (): void => {
      messages.bury(delivery, reason, message.id)
      recorded?.()
    }
    endsBefore(message, () => {
      if (results.length === 0 && chordParts.length === 0) bury()
      else settler.add({ results, parts: chordParts, message, onSettled: bury })
    })
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

  const settleRevoked = (
    message: TaskMessage,
    delivery: Delivery | undefined,
    how: 'expired' | 'revoked' | 'terminated',
    signal?: NodeJS.Signals,
  ): void => {
    log.info({ taskId: message.id, task: message.task }, `${message.task}[${message.id}] ${how}`)
    const { results, parts: chordParts } = endingOf(
      message,
      'REVOKED',
      celeryException('TaskRevokedError', how),
    )
    const [isExpired, isTerminated] = [how === 'expired', how === 'terminated']
    const signum = signal === undefined ? null : constants.signals[signal]
    const end: TaskEnd = { kind: 'revoked', terminated: isTerminated, signum, expired: isExpired }
    const recorded = monitors.current?.ended(message, end)
    endsBefore(message, () => messages.settle(message, delivery, results, chordParts, recorded))
    observer.revoked(message, { isExpired, isTerminated })
  }

  return {
    expire: (message, delivery) => settleRevoked(message, delivery, 'expired'),
    revoke: settleRevoked,

    refuseUnknown(message, delivery, reason) {
      observer.unknown(message)
      const exception = celeryException('NotRegistered', message.task)
      const end: TaskEnd = { kind: 'failed', exception, traceback: undefined }
      buryAfter(endingOf(message, 'FAILURE', exception), message, delivery, reason, end)
    },

    refuseCanvas(message, delivery, error) {
      const alone = { ...message, callbacks: [], errbacks: [], chain: [], chord: undefined }
      const { exception } = describeThrown(error)
      const reason = { code: error.code, message: error.message }
      monitors.current?.received(message)
      const end: TaskEnd = { kind: 'failed', exception, traceback: undefined }
      buryAfter(endingOf(alone, 'FAILURE', exception), message, delivery, reason, end)
    },

    refuseRejected(message, delivery, why) {
      const ending = endingOf({ ...message, ignoreResult: true }, 'FAILURE', celeryException('Reject', why))
      const end: TaskEnd = { kind: 'rejected', requeue: false }
      buryAfter(ending, message, delivery, { code: 'REJECTED', message: why }, end)
    },

    async giveUp(request, { reason, exception }) {
      const { delivery, message } = request
      const status = await storedStatus(request)
      if (status === undefined) return
      if (status.value === 'SUCCESS') {
        log.info({ taskId: message.id, task: message.task }, 'a task had succeeded when its worker was lost')
        messages.settle(message, delivery)
        return
      }
      tally.failed++
      const recorded = monitors.current?.ended(message, { kind: 'failed', exception, traceback: '' })
      await parts.uniqueness.ends(message)
      try {
        const { results, parts: chordParts } = continuation.afterFailure(request, exception, '', [])
        await messages.recorded(request, results, chordParts)
        const called = (): Promise<void> => continuation.callErrbacks(request, { exception, traceback: '' })
        await (tracing === undefined ? called() : tracing.following(message, called))
      } catch (error) {
        log.error({ err: error, taskId: message.id }, 'an errback could not be sent')
      }
      messages.bury(delivery, reason, message.id)
      recorded?.()
    },
  }
}

function celeryException(type: string, argument: string): ExceptionObject {
  return { exc_type: type, exc_message: [argument], exc_module: 'celery.exceptions' }
}
