import { formatInstant } from '../serialization/time.js'
import { pythonRepr, pythonReprArgs, pythonReprKwargs } from '../serialization/python-repr.js'
import type { ExceptionObject } from '../serialization/exceptions.js'
import type { OutgoingTask } from '../serialization/outgoing-task.js'
import type { TaskMessage } from '../serialization/task-message.js'
import type { EventFields } from './event.js'

/**
 * The own fields of task events in Celery's order (wire protocol, section 14.4), as members of a JSON object: they are
 * written once for each task, so that they are put together as text.
 */
export function receivedFields(message: TaskMessage): string {
  const { id, task, shadow, rootId, parentId, retries, eta, expires } = message
  const args = message.argsrepr ?? pythonReprArgs(message.args)
  const kwargs = message.kwargsrepr ?? pythonReprKwargs(message.kwargs)
  return (
    `${uuidField(id)},"name":${JSON.stringify(shadow ?? task)},"args":${JSON.stringify(args)}` +
    `,"kwargs":${JSON.stringify(kwargs)},"root_id":${JSON.stringify(rootId)}` +
    `,"parent_id":${orNull(parentId)},"retries":${retries},"eta":${instantOrNull(eta)}` +
    `,"expires":${instantOrNull(expires)}`
  )
}

export function startedFields({ id }: TaskMessage): string {
  return uuidField(id)
}

/** @param runtime - Seconds. */
export function succeededFields({ id }: TaskMessage, value: unknown, runtime: number): string {
  return `${uuidField(id)},"result":${JSON.stringify(pythonRepr(value))},"runtime":${runtime}`
}

/** Of `task-failed` and `task-retried`. */
export function failedFields(
  { id }: TaskMessage,
  exception: ExceptionObject | undefined,
  traceback: string | undefined,
): string {
  const text = exception === undefined ? 'None' : exceptionRepr(exception)
  const own = `${uuidField(id)},"exception":${JSON.stringify(text)}`
  return traceback === undefined ? own : `${own},"traceback":${JSON.stringify(traceback)}`
}

export interface Revocation {
  readonly terminated: boolean
  /** Number of the signal that ended the task; null where none was sent. */
  readonly signum: number | null
  readonly expired: boolean
}

export function revokedFields({ id }: TaskMessage, { terminated, signum, expired }: Revocation): string {
  return `${uuidField(id)},"terminated":${terminated},"signum":${signum},"expired":${expired}`
}

export function rejectedFields({ id }: TaskMessage, requeue: boolean): string {
  return `${uuidField(id)},"requeue":${requeue}`
}

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

function uuidField(id: string): string {
  return `"uuid":${JSON.stringify(id)}`
}

function orNull(text: string | undefined): string {
  return text === undefined ? 'null' : JSON.stringify(text)
}

function instantOrNull(instant: Date | undefined): string {
  return instant === undefined ? 'null' : `"${formatInstant(instant)}"`
}
