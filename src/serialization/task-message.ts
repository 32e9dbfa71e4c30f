import { describeValue } from '../errors.js'
import { decodeBody } from './decode-body.js'
import type { Envelope } from './envelope.js'
import { InvalidTaskMessageError, NotATaskError } from './errors.js'
import { checked, FieldReader, invalidField } from './field-reader.js'
import { SIGNATURE_HEADER } from './message-signature.js'
import { isPlainRecord } from './plain-record.js'
import { readSignature, type Signature } from './signature.js'
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
  /** As its sender gave it; the broker may know it by another. */
  readonly deliveryTag: string
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
    deliveryTag: properties.delivery_tag,
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
