import { literal, type JsonWriter } from '../serialization/json-writer.js'
import { formatInstant } from '../serialization/time.js'
import { pythonRepr, pythonReprArgs, pythonReprKwargs } from '../serialization/python-repr.js'
import type { ExceptionObject } from '../serialization/exceptions.js'
import type { OutgoingTask } from '../serialization/outgoing-task.js'
import type { TaskMessage } from '../serialization/task-message.js'
import { eventKind, type EventFields } from './event.js'

const member = (name: string): Uint8Array => literal(`,"${name}":`)

const UUID = member('uuid')
const NAME = member('name')
const ARGS = member('args')
const KWARGS = member('kwargs')
const ROOT_ID = member('root_id')
const PARENT_ID = member('parent_id')
const RETRIES = member('retries')
const ETA = member('eta')
const EXPIRES = member('expires')
const RESULT = member('result')
const RUNTIME = member('runtime')
const EXCEPTION = member('exception')
const TRACEBACK = member('traceback')
const TERMINATED = member('terminated')
const SIGNUM = member('signum')
const EXPIRED = member('expired')
const REQUEUE = member('requeue')

/** Task events, with their own fields in Celery's order (wire protocol, section 14.4). */
export const taskReceived = eventKind<TaskMessage>('task-received', (json, message) => {
  const { id, task, shadow, rootId, parentId, retries, eta, expires } = message
  json.text(UUID, id)
  json.text(NAME, shadow ?? task)
  json.text(ARGS, message.argsrepr ?? pythonReprArgs(message.args))
  json.text(KWARGS, message.kwargsrepr ?? pythonReprKwargs(message.kwargs))
  json.text(ROOT_ID, rootId)
  json.text(PARENT_ID, parentId)
  json.number(RETRIES, retries)
  json.text(ETA, eta && formatInstant(eta))
  json.text(EXPIRES, expires && formatInstant(expires))
})

export const taskStarted = eventKind<Pick<TaskMessage, 'id'>>('task-started', (json, { id }) => {
  json.text(UUID, id)
})

export interface Success {
  readonly id: string
  /** As Python's `repr` writes it. */
  readonly result: string
  /** Seconds. */
  readonly runtime: number
}

export const taskSucceeded = eventKind<Success>('task-succeeded', (json, { id, result, runtime }) => {
  json.text(UUID, id)
  json.text(RESULT, result)
  json.number(RUNTIME, runtime)
})

export interface Failure {
  readonly id: string
  readonly exception: ExceptionObject | undefined
  readonly traceback: string | undefined
}

export const taskFailed = eventKind('task-failed', writeFailure)
export const taskRetried = eventKind('task-retried', writeFailure)

function writeFailure(json: JsonWriter, { id, exception, traceback }: Failure): void {
  json.text(UUID, id)
  json.text(EXCEPTION, exception === undefined ? 'None' : exceptionRepr(exception))
  if (traceback !== undefined) json.text(TRACEBACK, traceback)
}

export interface Revocation {
  readonly terminated: boolean
  /** Number of the signal that ended the task; null where none was sent. */
  readonly signum: number | null
  readonly expired: boolean
}

export const taskRevoked = eventKind<Revocation & { readonly id: string }>('task-revoked', (json, of) => {
  json.text(UUID, of.id)
  json.flag(TERMINATED, of.terminated)
  json.number(SIGNUM, of.signum)
  json.flag(EXPIRED, of.expired)
})

export interface Rejection {
  readonly id: string
  readonly requeue: boolean
}

export const taskRejected = eventKind<Rejection>('task-rejected', (json, { id, requeue }) => {
  json.text(UUID, id)
  json.flag(REQUEUE, requeue)
})

/** Of `task-sent`, which the producer sends. */
export function sentFields(task: OutgoingTask): EventFields {
  return {
    uuid: task.id,
    root_id: task.rootId ?? task.id,
    parent_id: task.parentId ?? null,
    name: task.task,
    args: task.argsrepr ?? pythonReprArgs(task.args ?? []),
    kwargs: task.kwargsrepr ?? pythonReprKwargs(task.kwargs ?? {}),
    retries: task.retries ?? 0,
    eta: task.eta === undefined ? null : formatInstant(task.eta),
    expires: task.expires === undefined ? null : formatInstant(task.expires),
    queue: task.queue,
    exchange: task.exchange ?? '',
    routing_key: task.queue,
  }
}

/** What Python's `repr` makes of an exception: `ValueError('no')`. Monitors take its class from that. */
export function exceptionRepr({ exc_type: type, exc_message: args }: ExceptionObject): string {
  return `${type}(${args.map((arg) => (typeof arg === 'string' ? quoted(arg) : pythonRepr(arg))).join(', ')})`
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Python's `repr` of a text. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  // eslint-disable-next-line no-control-regex
  const escaped = text.replace(/[\\\x00-\x1f\x7f]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(2, '0')
    return ESCAPES[character] ?? `\\x${code}`
  })
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote
}
