import { formatResultMeta, type OutgoingResultMeta } from '../serialization/result-meta.js'
import { serializerNamed, type Serializer } from '../serialization/serializers.js'
import { EXCEPTION_STATES } from '../serialization/states.js'
import { errbackReach } from '../app/apply-canvas.js'
import { addToChord, type AddToChordParts } from './add-to-chord.js'
import { replacement } from './replace.js'
import { signatureData } from '../canvas/signature.js'
import { ResultTooLargeError } from '../results/errors.js'
import type { ExceptionObject } from '../serialization/exceptions.js'
import { Ignore, MaxRetriesExceededError, Reject, Replace, Retry } from '../app/outcomes.js'
import { checkRetryOptions } from '../app/check-retry-options.js'
import {
  DEFAULT_MAX_RETRIES,
  DEFAULT_RETRY_DELAY_SECONDS,
  endOfCountdown,
  retriesExhausted,
} from '../app/retry.js'
import type { Delivery } from '../broker/broker.js'
import type { Log } from '../log.js'
import type { RegisteredTask } from '../app/registered-task.js'
import type { RetryOptions, TaskContext, TaskRequest } from '../app/task-context.js'
import type { Settings } from '../app/settings.js'
import type { StoredResult } from '../results/result-backend.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** One execution: a message, the task it names, and the delivery to settle. */
export interface Request {
  readonly delivery: Delivery
  readonly message: TaskMessage
  readonly task: RegisteredTask
}

export interface ContextParts extends AddToChordParts {
  readonly hostname: string
  readonly log: Log
  readonly settings: Settings
  /** Made at the first use: most tasks never look at their signal. */
  readonly controller: () => AbortController
  readonly store: (result: StoredResult) => Promise<void>
  readonly sendEvent: SendEvent
}

/** @throws InvalidArgumentError, EncodeError */
export type SendEvent = (type: string, fields: Readonly<Record<string, unknown>>) => Promise<void>

/** What a running task has in hand. */
export function createContext({ message, task }: Request, parts: ContextParts): TaskContext {
  const { hostname, settings, controller, store } = parts
  let log: Log | undefined
  let request: TaskRequest | undefined
  return {
    get request() {
      return (request ??= readTaskRequest(message, hostname))
    },
    get signal() {
      return controller().signal
    },
    get log() {
      return (log ??= parts.log.child({ taskId: message.id, task: message.task }))
    },
    async updateState(state, info = null) {
      if (!keepsResult(message, task, settings)) return
      await store(storedResult(message, settings, hostname, { status: state, result: info }, task))
    },
    sendEvent: (type, fields = {}) => parts.sendEvent(type, { uuid: message.id, ...fields }),
    retry: (options) => retry(message, task, options),
    replace: (signature) =>
      new Replace(replacement(message, signatureData(signature, 'replace'), errbackReach(settings))),
    addToChord: (signature) => addToChord(message, signatureData(signature, 'addToChord'), parts),
    ignore: () => new Ignore(),
    reject: (reason, options = { requeue: false }) => new Reject(reason, options),
  }
}

/** Whether anything is stored for this execution; either side may say no. */
export function keepsResult(message: TaskMessage, task: RegisteredTask, settings: Settings): boolean {
  return !message.ignoreResult && !(task.options.ignoreResult ?? settings.taskIgnoreResult)
}

/** The same for a failure, or a retry because of one. */
export function keepsErrors(message: TaskMessage, task: RegisteredTask, settings: Settings): boolean {
  return (
    keepsResult(message, task, settings) ||
    (task.options.storeErrorsEvenIfIgnored ?? settings.taskStoreErrorsEvenIfIgnored)
  )
}

/** Whether the message is acknowledged when its task has ended: `acksLate` of the task, else the setting. */
export function acksLate({ options }: RegisteredTask, settings: Settings): boolean {
  return options.acksLate ?? settings.taskAcksLate
}

type TaskState = Omit<OutgoingResultMeta, 'taskId' | 'groupId' | 'parentId' | 'extended'>

/**
 * A state of a message's task, ready to store. A failure that cannot be written, or is too large, loses its details:
 * whoever waits has to learn of it.
 *
 * @param task - Where it is known here: it may say for how long its results are kept.
 * @throws EncodeError, ResultTooLargeError for what is no failure.
 */
export function storedResult(
  message: TaskMessage,
  settings: Settings,
  hostname: string,
  state: TaskState,
  task?: RegisteredTask,
): StoredResult {
  try {
    return formatState(message, settings, hostname, state, task)
  } catch (error) {
    if (!EXCEPTION_STATES.has(state.status)) throw error
    const { exc_type, exc_module } = state.result as ExceptionObject
    const result = {
      exc_type,
      exc_module,
      exc_message: [error instanceof Error ? error.message : String(error)],
    }
    const unlimited = { ...settings, resultMaxBytes: 0, resultExtended: false }
    return formatState(message, unlimited, hostname, { ...state, result, traceback: undefined }, task)
  }
}

function formatState(
  message: TaskMessage,
  settings: Settings,
  hostname: string,
  state: TaskState,
  task: RegisteredTask | undefined,
): StoredResult {
  // Member by member: spreading `state` takes longer than writing the JSON.
  const meta: OutgoingResultMeta = {
    taskId: message.id,
    status: state.status,
    result: state.result,
    traceback: state.traceback,
    children: state.children,
    dateDone: state.dateDone,
    groupId: message.group,
    parentId: message.parentId,
    extended: settings.resultExtended
      ? {
          name: message.task,
          args: message.args,
          kwargs: message.kwargs,
          worker: hostname,
          retries: message.retries,
          queue: message.routingKey,
          stampedHeaders: message.stampedHeaders,
          stamps: message.stamps,
        }
      : undefined,
  }
  const text = formatResultMeta(meta, settings.jsonForm, resultSerializer(settings))
  if (settings.resultMaxBytes > 0) {
    const bytes = byteLength(text)
    if (bytes > settings.resultMaxBytes) throw new ResultTooLargeError(bytes, settings.resultMaxBytes)
  }
  const { resultExpires = settings.resultExpires } = task?.options ?? {}
  return { taskId: message.id, text, expiresSeconds: resultExpires ?? 0 }
}

/** REVOKED for a task of which nothing but its id is known. */
export function revokedResult(taskId: string, settings: Settings, dateDone: Date): StoredResult {
  const result = { exc_type: 'TaskRevokedError', exc_message: ['revoked'], exc_module: 'celery.exceptions' }
  const meta: OutgoingResultMeta = { taskId, status: 'REVOKED', result, traceback: undefined, dateDone }
  const text = formatResultMeta(meta, settings.jsonForm, resultSerializer(settings))
  return { taskId, text, expiresSeconds: settings.resultExpires }
}

/** Undefined where it is JSON. */
export function resultSerializer(settings: Settings): Serializer | undefined {
  if (settings.resultSerializer === 'json') return undefined
  return serializerNamed(settings.resultSerializer, settings.jsonForm, settings.auth)
}

export function byteLength(text: string | Uint8Array): number {
  return typeof text === 'string' ? Buffer.byteLength(text) : text.byteLength
}

export function readTaskRequest(message: TaskMessage, hostname: string): TaskRequest {
  const {
    id,
    task,
    args,
    kwargs,
    retries,
    eta,
    expires,
    rootId,
    parentId,
    group,
    groupIndex,
    headers,
    stamps,
  } = message
  const { exchange, routingKey, priority, isRedelivered } = message
  const deliveryInfo = { exchange, routingKey, priority }
  const ids = { id, task, rootId, parentId, group, groupIndex }
  return {
    ...ids,
    args,
    kwargs,
    retries,
    eta,
    expires,
    headers,
    stamps,
    deliveryInfo,
    hostname,
    isRedelivered,
  }
}

function retry(
  message: TaskMessage,
  { options }: RegisteredTask,
  retryOptions: RetryOptions = {},
): Retry | Error {
  const own = options.maxRetries === undefined ? DEFAULT_MAX_RETRIES : options.maxRetries
  checkRetryOptions(retryOptions)
  const maxRetries = retryOptions.maxRetries === undefined ? own : retryOptions.maxRetries
  const { cause, args, kwargs } = retryOptions
  if (retriesExhausted(maxRetries, message.retries)) {
    if (cause instanceof Error) return cause
    const call = `args:${message.argsrepr ?? '()'} kwargs:${message.kwargsrepr ?? '{}'}`
    return new MaxRetriesExceededError(`Can't retry ${message.task}[${message.id}] ${call}`, { cause })
  }
  const countdown = retryOptions.countdown ?? options.defaultRetryDelay ?? DEFAULT_RETRY_DELAY_SECONDS
  return new Retry(retryOptions.eta ?? endOfCountdown(countdown), { cause, args, kwargs })
}
