import { describeValue } from '../errors.js'
import { decodeBody } from './decode-body.js'
import type { Envelope } from './envelope.js'
import { InvalidInstantError, InvalidTaskMessageError, NotATaskError } from './errors.js'
import { SIGNATURE_HEADER } from './message-signature.js'
import { isPlainRecord } from './plain-record.js'
import { readSignature, type Signature } from './signature.js'
import { parseInstant } from './time.js'
import type { AcceptedContent } from './serializers.js'

/** A task message as values: what a worker needs to run it, whatever protocol it came in. */
export interface TaskMessage {
  readonly id: string
  /** Registered task name. */
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly retries: number
  readonly eta: Date | undefined
  readonly expires: Date | undefined
  readonly rootId: string
  readonly parentId: string | undefined
  readonly group: string | undefined
  readonly groupIndex: number | undefined
  /** Seconds; undefined where the message sets none. */
  readonly hardTimeLimit: number | undefined
  readonly softTimeLimit: number | undefined
  readonly ignoreResult: boolean
  readonly shadow: string | undefined
  readonly replacedTaskNesting: number
  /** The protocol's third body element. Empty lists and null where it has nothing. */
  readonly callbacks: readonly Signature[]
  readonly errbacks: readonly Signature[]
  /** The remaining chain steps in reverse order: the next one is the last element. */
  readonly chain: readonly Signature[]
  readonly chord: Signature | undefined
  /** Headers of the caller's own: everything that the protocol does not name. */
  readonly headers: Readonly<Record<string, unknown>>
  readonly stamps: Readonly<Record<string, unknown>>
  readonly stampedHeaders: readonly string[]
  readonly argsrepr: string | undefined
  readonly kwargsrepr: string | undefined
  readonly origin: string | undefined
  readonly replyTo: string
  readonly correlationId: string
  readonly priority: number
  readonly exchange: string
  readonly routingKey: string
  readonly isRedelivered: boolean
  /** Name of the serializer the body came in, so that a retry goes out in the same. */
  readonly serializer: string
}

/** Headers that are the protocol's own; all others are the caller's (wire protocol, section 3.2). */
const PROTOCOL_HEADERS: ReadonlySet<string> = new Set([
  'lang',
  'task',
  'id',
  'shadow',
  'eta',
  'expires',
  'group',
  'group_index',
  'retries',
  'timelimit',
  'root_id',
  'parent_id',
  'argsrepr',
  'kwargsrepr',
  'origin',
  'ignore_result',
  'replaced_task_nesting',
  'stamped_headers',
  'stamps',
  'compression',
  'redelivered',
  SIGNATURE_HEADER,
])

/** A message taken apart, whatever protocol it came in. */
interface Parts {
  /** Where the protocol's fields are: the headers, the body, or both. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly args: unknown
  readonly kwargs: unknown
  readonly embed: Readonly<Record<string, unknown>>
}

/**
 * Read a task message of protocol 2, protocol 1, or the hybrid of both (wire protocol, sections 3.1 to 3.5).
 *
 * @throws {@link NotATaskError} when neither headers nor body name a task.
 * @throws {@link ContentDisallowedError}, {@link UnsupportedCompressionError}, {@link UndecodableBodyError} as
 *   `decodeBody` does.
 * @throws {@link InvalidTaskMessageError} when a field cannot be used. All carry the task id where it is known.
 */
export function decodeTaskMessage(
  envelope: Envelope,
  options: { readonly acceptContent: AcceptedContent },
): TaskMessage {
  const parts = takeApart(envelope, decodeBody(envelope, options.acceptContent))
  const { fields, embed } = parts
  if (typeof fields['id'] !== 'string' || fields['id'] === '') {
    throw invalidField('id', 'a non-empty string', fields['id'], undefined)
  }
  const id = fields['id']
  const read = new FieldReader(fields, id)
  const { headers, properties } = envelope
  const [hardTimeLimit, softTimeLimit] = read.timeLimits()
  return {
    id,
    task: read.taskName(),
    args: checked(parts.args, Array.isArray, 'args', 'a list', id),
    kwargs: checked(parts.kwargs, isPlainRecord, 'kwargs', 'an object', id),
    retries: read.integer('retries') ?? 0,
    eta: read.instant('eta'),
    expires: read.instant('expires'),
    rootId: read.text('root_id') ?? id,
    parentId: read.text('parent_id'),
    group: read.text('taskset') ?? read.text('group'),
    groupIndex: read.integer('group_index'),
    hardTimeLimit,
    softTimeLimit,
    ignoreResult: fields['ignore_result'] === true,
    shadow: read.text('shadow'),
    replacedTaskNesting: read.integer('replaced_task_nesting') ?? 0,
    callbacks: readSignatures(embed['callbacks'], 'callbacks', id),
    errbacks: readSignatures(embed['errbacks'], 'errbacks', id),
    chain: readSignatures(embed['chain'], 'chain', id),
    chord: readSignatures(embed['chord'], 'chord', id)[0],
    headers: callersHeaders(headers),
    stamps: isPlainRecord(fields['stamps']) ? fields['stamps'] : {},
    stampedHeaders: textsOf(fields['stamped_headers']),
    argsrepr: read.text('argsrepr'),
    kwargsrepr: read.text('kwargsrepr'),
    origin: read.text('origin'),
    replyTo: textOr(properties['reply_to'], ''),
    correlationId: textOr(properties['correlation_id'], id),
    priority: properties.priority,
    exchange: properties.delivery_info.exchange,
    routingKey: properties.delivery_info.routing_key,
    isRedelivered: headers['redelivered'] === true || properties.delivery_info.redelivered === true,
    serializer: options.acceptContent.get(envelope.contentType)?.name ?? 'json',
  }
}

function takeApart(envelope: Envelope, body: unknown): Parts {
  const { headers } = envelope
  const isProtocol2 = 'task' in headers
  if (isPlainRecord(body)) {
    if (!isProtocol2 && !('task' in body))
      throw notATask(envelope, 'neither its headers nor its body name one')
    // A chain is nested callbacks in protocol 1, and null in the hybrid.
    const embed = { callbacks: body['callbacks'], errbacks: body['errbacks'], chord: body['chord'] }
    const fields = isProtocol2 ? { ...body, ...headers } : body
    return { fields, args: body['args'] ?? [], kwargs: body['kwargs'] ?? {}, embed }
  }
  if (!isProtocol2) throw notATask(envelope, `its headers name none, and its body is ${describeValue(body)}`)
  if (!Array.isArray(body) || body.length < 2 || body.length > 3) {
    throw invalidField('body', 'a list [args, kwargs, embed]', body, idOf(headers))
  }
  const [args, kwargs, embed] = body as unknown[]
  return { fields: headers, args, kwargs, embed: isPlainRecord(embed) ? embed : {} }
}

function notATask(envelope: Envelope, why: string): NotATaskError {
  return new NotATaskError(`the message is no task: ${why}`, { taskId: idOf(envelope.headers) })
}

function idOf(headers: Readonly<Record<string, unknown>>): string | undefined {
  return typeof headers['id'] === 'string' ? headers['id'] : undefined
}

function invalidField(
  name: string,
  expected: string,
  value: unknown,
  taskId: string | undefined,
  cause?: unknown,
): InvalidTaskMessageError {
  const task = taskId === undefined ? 'the task message' : `task ${taskId}`
  const message = `${name} of ${task} must be ${expected}, got ${describeValue(value)}`
  return new InvalidTaskMessageError(message, { taskId, cause })
}

function checked<T>(
  value: unknown,
  isRight: (value: unknown) => value is T,
  name: string,
  expected: string,
  taskId: string,
): T {
  if (isRight(value)) return value
  throw invalidField(name, expected, value, taskId)
}

/** Fields that may be missing or null, but not of another type. */
class FieldReader {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #taskId: string

  constructor(fields: Readonly<Record<string, unknown>>, taskId: string) {
    this.#fields = fields
    this.#taskId = taskId
  }

  taskName(): string {
    const name = this.text('task')
    if (name === undefined || name === '') throw this.#invalid('task', 'a task name')
    return name
  }

  text(name: string): string | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string') return value
    throw this.#invalid(name, 'a string or null')
  }

  integer(name: string): number | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value
    throw this.#invalid(name, 'an integer or null')
  }

  /** A Date is what YAML's own timestamps and kombu's tagged values decode to. */
  instant(name: string): Date | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (value instanceof Date) return value
    if (typeof value !== 'string') throw this.#invalid(name, 'an ISO 8601 time or null')
    try {
      return parseInstant(value)
    } catch (error) {
      if (!(error instanceof InvalidInstantError)) throw error
      throw this.#invalid(name, 'an ISO 8601 time or null', error)
    }
  }

  /** @returns Hard limit, soft limit: in this order on the wire. */
  timeLimits(): readonly [number | undefined, number | undefined] {
    const value = this.#fields['timelimit']
    if (value === undefined || value === null) return [undefined, undefined]
    if (!Array.isArray(value) || value.length !== 2 || !value.every(isLimit)) {
      throw this.#invalid('timelimit', 'a list of two numbers or nulls, the hard limit first')
    }
    const [hard, soft] = value as readonly (number | null)[]
    return [hard ?? undefined, soft ?? undefined]
  }

  #invalid(name: string, expected: string, cause?: unknown): InvalidTaskMessageError {
    return invalidField(name, expected, this.#fields[name], this.#taskId, cause)
  }
}

function isLimit(value: unknown): value is number | null {
  return value === null || typeof value === 'number'
}

/** Celery writes a list, other clients a single signature too. */
function readSignatures(value: unknown, name: string, taskId: string): readonly Signature[] {
  if (value === undefined || value === null) return []
  try {
    return Array.isArray(value) ? value.map(readSignature) : [readSignature(value)]
  } catch (error) {
    if (!(error instanceof InvalidTaskMessageError)) throw error
    throw new InvalidTaskMessageError(`${name} of task ${taskId}: ${error.message}`, { taskId, cause: error })
  }
}

function callersHeaders(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const own: Record<string, unknown> = {}
  for (const name in headers) {
    if (!PROTOCOL_HEADERS.has(name)) own[name] = headers[name]
  }
  return own
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise
}
