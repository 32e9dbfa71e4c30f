import type { CeleryEvent } from './event.js'

/** What events tell of a task. Times are Unix seconds by the clock of whoever sent the event. */
export interface TaskState {
  readonly uuid: string
  /** One of Celery's states, or the last part of a custom event's type in capitals. */
  readonly state: string
  readonly name?: string
  /** Node name of the worker that told of it last. */
  readonly worker?: string
  /** Who sent it. */
  readonly client?: string
  readonly sent?: number
  readonly received?: number
  readonly started?: number
  readonly succeeded?: number
  readonly failed?: number
  readonly retried?: number
  readonly revoked?: number
  readonly rejected?: number
  /** When it got into its state. */
  readonly timestamp?: number
  readonly clock: number
  /** As Python would show them, cut off. */
  readonly args?: string
  readonly kwargs?: string
  readonly result?: string
  readonly exception?: string
  readonly traceback?: string
  /** Seconds. */
  readonly runtime?: number
  readonly retries?: number
  /** ISO 8601. */
  readonly eta?: string | null
  readonly expires?: string | null
  readonly queue?: string
  readonly exchange?: string
  readonly routingKey?: string
  readonly rootId?: string
  readonly parentId?: string | null
}

const STATES: Readonly<Record<string, string>> = {
  sent: 'PENDING',
  received: 'RECEIVED',
  started: 'STARTED',
  failed: 'FAILURE',
  retried: 'RETRY',
  succeeded: 'SUCCESS',
  revoked: 'REVOKED',
  rejected: 'REJECTED',
}

/** Latest first; states of applications stand behind FAILURE. @see Celery 5.6, `states.py`: `PRECEDENCE` */
const PRECEDENCE = [
  'SUCCESS',
  'FAILURE',
  '',
  'REVOKED',
  'STARTED',
  'RECEIVED',
  'REJECTED',
  'RETRY',
  'PENDING',
]

/** Fields of events by their wire names, where they are kept. */
const FIELDS: Readonly<Record<string, keyof TaskState>> = {
  name: 'name',
  args: 'args',
  kwargs: 'kwargs',
  result: 'result',
  exception: 'exception',
  traceback: 'traceback',
  runtime: 'runtime',
  retries: 'retries',
  eta: 'eta',
  expires: 'expires',
  queue: 'queue',
  exchange: 'exchange',
  routing_key: 'routingKey',
  root_id: 'rootId',
  parent_id: 'parentId',
  clock: 'clock',
}

/** What is taken of a `task-received` that comes after what should follow it. */
const OF_RECEIVED: ReadonlySet<string> = new Set([
  ...['name', 'args', 'kwargs', 'parent_id', 'root_id', 'retries', 'eta', 'expires'],
])

export function newTaskState(uuid: string): TaskState {
  return { uuid, state: 'PENDING', clock: 0 }
}

/**
 * The state after an event. One that logically comes before the present state only fills in what it knows: messages may
 * overtake each other.
 *
 * @see Celery 5.6, `events/state.py`: `Task.event`
 */
export function withTaskEvent(task: TaskState, event: CeleryEvent): TaskState {
  const subject = event.type.slice('task-'.length)
  const known = Object.hasOwn(STATES, subject) ? STATES[subject] : undefined
  const state = known ?? subject.toUpperCase()
  const isLate = state !== 'RETRY' && task.state !== 'RETRY' && precedence(state) > precedence(task.state)
  const isKept = (field: string): boolean => !isLate || state !== 'RECEIVED' || OF_RECEIVED.has(field)
  const fields = Object.entries(FIELDS).flatMap(([field, name]) =>
    event[field] !== undefined && isKept(field) ? [[name, event[field]]] : [],
  )
  return {
    ...task,
    ...(Object.fromEntries(fields) as Partial<TaskState>),
    ...(known === undefined ? {} : { [subject]: event.timestamp }),
    ...(subject === 'sent' ? { client: event.hostname } : { worker: event.hostname }),
    ...(isLate ? {} : { state, timestamp: event.timestamp }),
  }
}

function precedence(state: string): number {
  const at = PRECEDENCE.indexOf(state)
  return at === -1 ? PRECEDENCE.indexOf('') : at
}
