import { persist, type Persistence } from './persist.js'
import { keepsResult, storedResult, type Request } from './request.js'
import type { Continuation } from './continuation.js'
import type { DeadLetterReason, Delivery } from '../broker/broker.js'
import type { ExceptionObject } from '../serialization/exceptions.js'
import type { HeldMessages } from './held-messages.js'
import type { Refusal } from './redelivery.js'
import type { ResultBackend, StoredResult } from '../results/result-backend.js'
import type { Settings } from '../app/settings.js'
import type { Settler } from './settle.js'
import type { Tally } from './tally.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** The ends of messages whose task does not run, told to whoever waits for its result. */
export interface Refusals {
  /** Expired: REVOKED, as Celery has it (wire protocol, section 13.3). */
  expire(message: TaskMessage, delivery: Delivery | undefined): void
  /** Unknown: FAILURE for whoever waits, and a dead letter for whoever operates (section 13.8). */
  refuseUnknown(message: TaskMessage, delivery: Delivery, reason: DeadLetterReason): void
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
  readonly persistence: Persistence
  readonly tally: Tally
}

export function createRefusals(parts: RefusalsParts): Refusals {
  const { settings, hostname, backend, settler, messages, continuation, persistence, tally } = parts
  const { clock, log } = persistence

  const endOf = (
    message: TaskMessage,
    status: 'FAILURE' | 'REVOKED',
    exception: ExceptionObject,
  ): StoredResult[] => {
    if (message.ignoreResult) return []
    const state = { status, result: exception, dateDone: new Date(clock.now()) }
    return [storedResult(message, settings, hostname, state)]
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

  return {
    expire(message, delivery) {
      log.info({ taskId: message.id, task: message.task }, `${message.task}[${message.id}] expired`)
      const results = endOf(message, 'REVOKED', celeryException('TaskRevokedError', 'expired'))
      messages.settle(message, delivery, results)
    },

    refuseUnknown(message, delivery, reason) {
      const results = endOf(message, 'FAILURE', celeryException('NotRegistered', message.task))
      const bury = (): void => messages.bury(delivery, reason, message.id)
      if (results.length === 0) bury()
      else settler.add({ results, message, onSettled: bury })
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
      try {
        await messages.recorded(request, continuation.afterFailure(request, exception, ''))
        await continuation.sendErrbacks(request)
      } catch (error) {
        log.error({ err: error, taskId: message.id }, 'an errback could not be sent')
      }
      messages.bury(delivery, reason, message.id)
    },
  }
}

function celeryException(type: string, argument: string): ExceptionObject {
  return { exc_type: type, exc_message: [argument], exc_module: 'celery.exceptions' }
}
