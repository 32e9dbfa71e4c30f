import { Buffer } from 'node:buffer'
import { describeValue } from '../errors.js'
import { compress } from './compression.js'
import { decodeBody, formatEnvelope, type Envelope } from './envelope.js'
import { InvalidInstantError, InvalidTaskMessageError, NotATaskError } from './errors.js'
import { formatJson, type JsonForm } from './json.js'
import { isPlainRecord } from './plain-record.js'
import { pythonReprArgs, pythonReprKwargs } from './python-repr.js'
import { SIGNATURE_HEADER, type MessageSigner } from './message-signature.js'
import { serializerNamed, type AcceptedContent, type Serializer } from './serializers.js'
import { readSignature, type Signature } from './signature.js'
import { formatInstant, parseInstant } from './time.js'

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

/** A task message to be sent. Whatever may be undefined has Celery's default. */
export interface OutgoingTask {
  readonly id: string
  /** Registered task name. */
  readonly task: string
  readonly args?: readonly unknown[] | undefined
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined
  /** Routing key: with the default exchange, the queue's name. */
  readonly queue: string
  /** @default '' */
  readonly exchange?: string | undefined
  readonly eta?: Date | undefined
  readonly expires?: Date | undefined
  /** 0 to 9. @default 0 */
  readonly priority?: number | undefined
  /** @default 0 */
  readonly retries?: number | undefined
  /** @default the task's own id */
  readonly rootId?: string | undefined
  readonly parentId?: string | undefined
  readonly group?: string | undefined
  readonly groupIndex?: number | undefined
  /** Seconds, the hard limit first, as on the wire. */
  readonly timeLimits?:
    readonly [hard: number | null | undefined, soft: number | null | undefined] | undefined
  readonly shadow?: string | undefined
  /** @default false */
  readonly ignoreResult?: boolean | undefined
  /** @default 0 */
  readonly replacedTaskNesting?: number | undefined
  readonly callbacks?: readonly Signature[] | undefined
  readonly errbacks?: readonly Signature[] | undefined
  /** The remaining chain steps in reverse order. */
  readonly chain?: readonly Signature[] | undefined
  readonly chord?: Signature | undefined
  /** Headers of the caller's own, next to the protocol's. */
  readonly headers?: Readonly<Record<string, unknown>> | undefined
  readonly stamps?: Readonly<Record<string, unknown>> | undefined
  readonly stampedHeaders?: readonly string[] | undefined
  /** @default '' */
  readonly replyTo?: string | undefined
  /** `gen<pid>@<hostname>` of the sender. @default '' */
  readonly origin?: string | undefined
  /** By its name, or itself where it is the application's own. @default 'json' */
  readonly serializer?: string | Serializer | undefined
  /** Signs the message. @default it is not signed */
  readonly signer?: MessageSigner | undefined
  /** Compression's name. @default none */
  readonly compression?: string | undefined
  /** @default 2 */
  readonly deliveryMode?: 1 | 2 | undefined
  /** More properties by their wire names. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  /** @default 'tagged' */
  readonly form?: JsonForm | undefined
  /** @default made from `args` */
  readonly argsrepr?: string | undefined
  /** @default made from `kwargs` */
  readonly kwargsrepr?: string | undefined
  /** Needed with `expires` only, for the property `expiration`. @default the present */
  readonly now?: Date | undefined
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

/**
 * Write a task message of protocol 2 with the headers of Celery 5.6 in its order (wire protocol, section 3.2).
 *
 * @returns The envelope's text, with a delivery tag of its own.
 * @throws {@link EncodeError} for what the serializer cannot hold; its path starts with `args` or `kwargs`.
 * @throws {@link InvalidArgumentError} for an unknown serializer.
 * @throws {@link UnsupportedCompressionError}
 */
export function encodeTaskMessage(task: OutgoingTask): string {
  const form = task.form ?? 'tagged'
  const { serializer: given = 'json' } = task
  const serializer = typeof given === 'string' ? serializerNamed(given, form) : given
  const args = task.args ?? []
  const kwargs = task.kwargs ?? {}
  const headers: Record<string, unknown> = {
    lang: 'js',
    task: task.task,
    id: task.id,
    shadow: task.shadow ?? null,
    eta: task.eta === undefined ? null : formatInstant(task.eta),
    expires: task.expires === undefined ? null : formatInstant(task.expires),
    group: task.group ?? null,
    group_index: task.groupIndex ?? null,
    retries: task.retries ?? 0,
    timelimit: [task.timeLimits?.[0] ?? null, task.timeLimits?.[1] ?? null],
    root_id: task.rootId ?? task.id,
    parent_id: task.parentId ?? null,
    argsrepr: task.argsrepr ?? pythonReprArgs(args),
    kwargsrepr: task.kwargsrepr ?? pythonReprKwargs(kwargs),
    origin: task.origin ?? '',
    ignore_result: task.ignoreResult ?? false,
    replaced_task_nesting: task.replacedTaskNesting ?? 0,
    stamped_headers: task.stampedHeaders ?? null,
    stamps: task.stamps ?? {},
    ...task.headers,
  }
  let payload = encodeTaskBody(task, args, kwargs, serializer, form)
  if (task.compression !== undefined) {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload
    const compressed = compress(task.compression, bytes)
    headers['compression'] = compressed.header
    payload = compressed.payload
  }
  const { contentType, contentEncoding } = serializer
  const { exchange = '', queue: routingKey, signer } = task
  const parts = { payload, contentType, contentEncoding, headers, exchange, routingKey }
  if (signer !== undefined) headers[SIGNATURE_HEADER] = signer.sign(parts)
  return formatEnvelope(
    {
      ...parts,
      priority: task.priority,
      deliveryMode: task.deliveryMode,
      properties: propertiesOf(task),
    },
    form,
  )
}

function propertiesOf(task: OutgoingTask): Record<string, unknown> {
  const properties: Record<string, unknown> = { correlation_id: task.id, reply_to: task.replyTo ?? '' }
  if (task.expires !== undefined) {
    const now = task.now?.getTime() ?? Date.now()
    properties['expiration'] = String(Math.max(0, task.expires.getTime() - now))
  }
  return task.properties === undefined ? properties : { ...properties, ...task.properties }
}

const EMPTY_EMBED = { callbacks: null, errbacks: null, chain: null, chord: null }
const EMPTY_EMBED_JSON = JSON.stringify(EMPTY_EMBED)

function encodeTaskBody(
  task: OutgoingTask,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  serializer: Serializer,
  form: JsonForm,
): string | Uint8Array {
  const embed = embedOf(task)
  if (serializer.name !== 'json') return serializer.encode([args, kwargs, embed])
  const embedJson = embed === EMPTY_EMBED ? EMPTY_EMBED_JSON : formatJson(embed, form, 'embed')
  // One by one, so that an error names args or kwargs and not a position in the body.
  return `[${formatJson(args, form, 'args')},${formatJson(kwargs, form, 'kwargs')},${embedJson}]`
}

function embedOf(task: OutgoingTask): Readonly<Record<string, unknown>> {
  const { callbacks, errbacks, chain, chord } = task
  if (!hasItems(callbacks) && !hasItems(errbacks) && !hasItems(chain) && chord === undefined)
    return EMPTY_EMBED
  return {
    callbacks: hasItems(callbacks) ? callbacks : null,
    errbacks: hasItems(errbacks) ? errbacks : null,
    chain: hasItems(chain) ? chain : null,
    chord: chord ?? null,
  }
}

function hasItems(list: readonly unknown[] | undefined): boolean {
  return list !== undefined && list.length > 0
}
