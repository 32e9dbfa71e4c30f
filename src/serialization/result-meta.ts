import { describeValue } from '../errors.js'
import { InvalidInstantError, UnreadableResultError } from './errors.js'
import { formatJson, type JsonForm } from './json.js'
import { isPlainRecord } from './plain-record.js'
import type { Serializer } from './serializers.js'
import { decodeStored } from './stored-value.js'
import { formatInstant, parseInstant } from './time.js'

/** What is stored of a task (wire protocol, section 10.2), read into our names. */
export interface ResultMeta {
  readonly taskId: string
  /** PENDING, STARTED, SUCCESS, …, or a state of the application's own. */
  readonly status: string
  /** The return value, a failure's exception object, or what `updateState` was given. */
  readonly result: unknown
  readonly traceback: string | null
  /** Result tuples of the tasks this one started. */
  readonly children: readonly unknown[]
  readonly dateDone: Date | undefined
  readonly groupId: string | undefined
  readonly parentId: string | undefined
  /** With `result_extended` only. */
  readonly name: string | undefined
  readonly args: readonly unknown[] | undefined
  readonly kwargs: Readonly<Record<string, unknown>> | undefined
  readonly retries: number | undefined
  readonly worker: string | undefined
  readonly queue: string | undefined
  /** Of a stamped task, by their names. */
  readonly stamps: Readonly<Record<string, unknown>> | undefined
}

/** What to store of a task. */
export interface OutgoingResultMeta {
  readonly taskId: string
  readonly status: string
  /** Return value, exception object, or what `updateState` was given. */
  readonly result: unknown
  readonly traceback?: string | null | undefined
  /** Result tuples of the tasks this one started. */
  readonly children?: readonly unknown[] | undefined
  /** Present for SUCCESS, FAILURE and REVOKED. */
  readonly dateDone?: Date | undefined
  readonly groupId?: string | undefined
  readonly parentId?: string | undefined
  /** With `result_extended` only. */
  readonly extended?: ExtendedResultFields | undefined
}

export interface ExtendedResultFields {
  readonly name: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Node name. */
  readonly worker: string
  readonly retries: number
  /** Routing key of the delivery. */
  readonly queue: string
  readonly stampedHeaders?: readonly string[] | undefined
  readonly stamps?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Write what is stored of a task, with Celery's keys in Celery's order (wire protocol, section 10.2).
 *
 * @param serializer - For another `result_serializer` than JSON: its output is stored as it is.
 * @throws {@link EncodeError} when the result cannot be written; its path starts with `result`.
 */
export function formatResultMeta(meta: OutgoingResultMeta, form?: JsonForm): string
export function formatResultMeta(
  meta: OutgoingResultMeta,
  form: JsonForm | undefined,
  serializer: Serializer | undefined,
): string | Uint8Array
export function formatResultMeta(
  meta: OutgoingResultMeta,
  form: JsonForm = 'tagged',
  serializer?: Serializer,
): string | Uint8Array {
  if (serializer !== undefined && serializer.name !== 'json') return serializer.encode(storedFields(meta))
  if (meta.extended !== undefined) return formatJson(storedFields(meta), form)
  // Put together from parts: what is the same for every task need not be walked.
  const { result, traceback, children, dateDone, groupId, parentId } = meta
  return (
    `{"status":${JSON.stringify(meta.status)},"result":${formatJson(result, form, 'result')}` +
    `,"traceback":${typeof traceback === 'string' ? JSON.stringify(traceback) : 'null'}` +
    `,"children":${children === undefined ? '[]' : formatJson(children, form, 'children')}` +
    `,"date_done":${dateDone === undefined ? 'null' : `"${formatInstant(dateDone)}"`}` +
    (groupId === undefined ? '' : `,"group_id":${JSON.stringify(groupId)}`) +
    (parentId === undefined ? '' : `,"parent_id":${JSON.stringify(parentId)}`) +
    `,"task_id":${JSON.stringify(meta.taskId)}}`
  )
}

function storedFields(meta: OutgoingResultMeta): Record<string, unknown> {
  const stored: Record<string, unknown> = {
    status: meta.status,
    result: meta.result ?? null,
    traceback: meta.traceback ?? null,
    children: meta.children ?? [],
    date_done: meta.dateDone === undefined ? null : formatInstant(meta.dateDone),
  }
  if (meta.groupId !== undefined) stored['group_id'] = meta.groupId
  if (meta.parentId !== undefined) stored['parent_id'] = meta.parentId
  if (meta.extended !== undefined) addExtended(stored, meta.extended)
  stored['task_id'] = meta.taskId
  return stored
}

function addExtended(stored: Record<string, unknown>, extended: ExtendedResultFields): void {
  const { name, args, kwargs, worker, retries, queue, stampedHeaders, stamps } = extended
  Object.assign(stored, { name, args, kwargs, worker, retries, queue })
  if (stampedHeaders === undefined || stampedHeaders.length === 0) return
  stored['stamped_headers'] = stampedHeaders
  for (const name of stampedHeaders) if (stamps?.[name] !== undefined) stored[name] = stamps[name]
}

/**
 * Read a stored result of any Celery release: a date without an offset is UTC, and whatever a Python client
 * does not insist on may be missing (wire protocol, section 10.5).
 *
 * @param serializer - For another `result_serializer` than JSON: nothing stored says which it was.
 * @throws {@link UnreadableResultError} when it cannot be decoded, or has no status, result or task id.
 */
export function parseResultMeta(stored: string | Uint8Array, serializer?: Serializer): ResultMeta {
  const meta = decodeMeta(stored, serializer)
  const { task_id: taskId, status } = meta
  if (typeof taskId !== 'string') throw new UnreadableResultError(missing('task_id', taskId))
  if (typeof status !== 'string') throw new UnreadableResultError(missing('status', status), { taskId })
  if (!('result' in meta)) throw new UnreadableResultError(missing('result', undefined), { taskId })
  return {
    taskId,
    status,
    result: meta['result'],
    traceback: textOf(meta['traceback']) ?? null,
    children: Array.isArray(meta['children']) ? meta['children'] : [],
    dateDone: instantOf(meta['date_done']),
    groupId: textOf(meta['group_id']),
    parentId: textOf(meta['parent_id']),
    name: textOf(meta['name']),
    args: Array.isArray(meta['args']) ? meta['args'] : undefined,
    kwargs: isPlainRecord(meta['kwargs']) ? meta['kwargs'] : undefined,
    retries: typeof meta['retries'] === 'number' ? meta['retries'] : undefined,
    worker: textOf(meta['worker']),
    queue: textOf(meta['queue']),
    stamps: stampsIn(meta),
  }
}

function stampsIn(meta: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const names = meta['stamped_headers']
  if (!Array.isArray(names)) return undefined
  return Object.fromEntries((names as unknown[]).map((name) => [String(name), meta[String(name)]]))
}

function decodeMeta(
  stored: string | Uint8Array,
  serializer: Serializer | undefined,
): Record<string, unknown> {
  const meta = decodeStored('the stored result', stored, serializer)
  if (isPlainRecord(meta)) return meta
  throw new UnreadableResultError(`a stored result must be an object, got ${describeValue(meta)}`)
}

function missing(name: string, value: unknown): string {
  return `a stored result must have ${name}, got ${describeValue(value)}`
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A date only informs: one that cannot be read does not take the result away. */
function instantOf(value: unknown): Date | undefined {
  if (value instanceof Date) return value
  if (typeof value !== 'string') return undefined
  try {
    return parseInstant(value)
  } catch (error) {
    if (error instanceof InvalidInstantError) return undefined
    throw error
  }
}
