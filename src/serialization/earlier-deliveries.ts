import { BadEnvelopeError } from './errors.js'
import { markRedelivered } from './mark-redelivered.js'
import type { Envelope } from './envelope.js'
import { findMembers, skipSpace } from './json-scanner.js'
import { isPlainRecord } from './plain-record.js'
import { parseInstant } from './time.js'

/** Why a message was delivered again. */
export type LossCause = 'WORKER_LOST' | 'MEMORY_LIMIT' | 'VISIBILITY_TIMEOUT' | 'REQUEUED'

/** A delivery that ended without an acknowledgement. */
export interface LostDelivery {
  /** When the message was put back. */
  readonly at: Date
  readonly cause: LossCause
  /** Node name of the worker that had it; undefined where nobody knows. */
  readonly worker?: string | undefined
  /** Whether its task is known to have begun. */
  readonly hasBegun: boolean
}

/**
 * What became of a message before, kept in the property `lovage` of its envelope (decision 5). A graceful stop's
 * release is not among it.
 */
export interface EarlierDeliveries {
  /** Deliveries after which it was put back. */
  readonly count: number
  /** Those of them that count for the limit: the task had begun, or nobody can know. */
  readonly lost: number
  /** The task had begun when the last one was lost. */
  readonly hasBegun: boolean
  /** The latest ones; deliveries to Python workers are not among them. */
  readonly history: readonly LostDelivery[]
}

/** Of a message that is delivered for the first time. */
export const NO_EARLIER_DELIVERIES: EarlierDeliveries = { count: 0, lost: 0, hasBegun: false, history: [] }

const PROPERTY = 'lovage'
/** A message that circles for ever must not grow for ever. */
const MOST_HISTORY = 10

/** The property as it is written. */
interface Written {
  readonly deliveries: number
  readonly lost: number
  /** The task begins, or had begun when somebody else put the message back. */
  readonly begun?: true | undefined
  readonly history?: readonly unknown[] | undefined
}

/** What a message that was just delivered has behind it. */
export function readEarlierDeliveries({ headers, properties }: Envelope): EarlierDeliveries {
  const own = properties[PROPERTY]
  const isRedelivered = headers['redelivered'] === true || properties.delivery_info.redelivered === true
  if (own === undefined && !isRedelivered) return NO_EARLIER_DELIVERIES
  return interpret(own, isRedelivered)
}

/** The same from an envelope's text. @throws {@link BadEnvelopeError} when it is no JSON object. */
export function scanEarlierDeliveries(text: string): EarlierDeliveries {
  const { own, isRedelivered } = scan(text)
  return own === undefined && !isRedelivered ? NO_EARLIER_DELIVERIES : interpret(own, isRedelivered)
}

function interpret(own: unknown, isRedelivered: boolean): EarlierDeliveries {
  // Put back by a Python worker, whose restoring writes nothing but the flag.
  if (!isPlainRecord(own))
    return { ...NO_EARLIER_DELIVERIES, count: isRedelivered ? 1 : 0, lost: isRedelivered ? 1 : 0 }
  const { deliveries, lost, begun, history } = own
  const kept = Array.isArray(history) ? history.map(readLost).filter((each) => each !== undefined) : []
  // Restored by a Python worker after its task had begun here.
  const more = begun === true ? 1 : 0
  return {
    count: countOf(deliveries) + more,
    lost: countOf(lost) + more,
    hasBegun: begun === true || (kept.at(-1)?.hasBegun ?? false),
    history: kept,
  }
}

function countOf(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0
}

const CAUSES: readonly unknown[] = [
  'WORKER_LOST',
  'MEMORY_LIMIT',
  'VISIBILITY_TIMEOUT',
  'REQUEUED',
] satisfies LossCause[]

function readLost(value: unknown): LostDelivery | undefined {
  if (!isPlainRecord(value) || typeof value['at'] !== 'string' || !CAUSES.includes(value['cause']))
    return undefined
  const { cause, worker, begun } = value
  const at = new Date(value['at'])
  if (Number.isNaN(at.getTime())) return undefined
  return {
    at,
    cause: cause as LossCause,
    worker: typeof worker === 'string' ? worker : undefined,
    hasBegun: begun === true,
  }
}

/**
 * An envelope on its way back to its queue after it was lost: marked redelivered, and the loss counted.
 *
 * Where a worker of this runtime held it, a first loss counts, and later ones if the task had begun: what only
 * waited in a worker that another message killed is not to blame. Of a Python worker nobody knows, except that it
 * holds a message with an ETA until then, and loses it to the visibility timeout as often as that goes by.
 *
 * @param text - the envelope as it stands in `unacked`.
 * @throws {@link BadEnvelopeError} when it is no JSON object.
 */
export function countLoss(text: string, loss: Omit<LostDelivery, 'hasBegun'>): string {
  const { own, isRedelivered, eta } = scan(text)
  if (loss.cause === 'VISIBILITY_TIMEOUT' && eta !== undefined && eta > loss.at) return keepCount(text)
  const earlier = interpret(own, isRedelivered)
  // A requeue starts from the envelope as it was claimed, where the mark is of another delivery.
  const isMarked = isPlainRecord(own) && own['begun'] === true && loss.cause !== 'REQUEUED'
  const counts = earlier.lost === 0 || loss.cause !== 'WORKER_LOST'
  const entry = {
    at: loss.at.toISOString(),
    cause: loss.cause,
    ...(loss.worker === undefined ? {} : { worker: loss.worker }),
    ...(isMarked ? { begun: true } : {}),
  }
  return write(markRedelivered(text), {
    // What is marked as begun was counted in reading it.
    deliveries: earlier.count + (isMarked ? 0 : 1),
    lost: earlier.lost + (!isMarked && counts ? 1 : 0),
    history: [...earlier.history.map(formatLost), entry].slice(-MOST_HISTORY),
  })
}

/** An envelope on its way back to its queue without a loss: marked redelivered, with the same count as before. */
export function keepCount(text: string): string {
  return write(markRedelivered(text), written(scanEarlierDeliveries(text)))
}

/** An envelope whose task begins: if it is lost from now on, that counts, whoever puts it back. */
export function markBegun(text: string): string {
  return write(text, { ...written(scanEarlierDeliveries(text)), begun: true })
}

/** An envelope as if it had never been lost. Without a change where it never was. */
export function forgetLosses(text: string): string {
  const { own, isRedelivered } = scan(text)
  return own === undefined && !isRedelivered ? text : write(text, { deliveries: 0, lost: 0 })
}

function written({ count, lost, history }: EarlierDeliveries): Written {
  return { deliveries: count, lost, history: history.length > 0 ? history.map(formatLost) : undefined }
}

function formatLost({ at, cause, worker, hasBegun }: LostDelivery): unknown {
  return { at: at.toISOString(), cause, worker, begun: hasBegun || undefined }
}

interface Scanned {
  readonly own: unknown
  readonly isRedelivered: boolean
  readonly eta: Date | undefined
}

function scan(text: string): Scanned {
  const envelope = findMembers(text, skipSpace(text, 0), ['headers', 'properties'])
  if (envelope === undefined) throw new BadEnvelopeError('the message is no JSON object')
  const headers = envelope.get('headers')
  const properties = envelope.get('properties')
  const members = properties && findMembers(text, properties.start, [PROPERTY, 'delivery_info'])
  const own = members?.get(PROPERTY)
  const isMarked = (at: number | undefined): boolean => {
    const flag = at === undefined ? undefined : findMembers(text, at, ['redelivered'])?.get('redelivered')
    return flag !== undefined && text.slice(flag.start, flag.end) === 'true'
  }
  return {
    own: own === undefined ? undefined : readJson(text.slice(own.start, own.end)),
    eta: headers === undefined ? undefined : readEta(text, headers.start),
    isRedelivered: isMarked(headers?.start) || isMarked(members?.get('delivery_info')?.start),
  }
}

function readEta(text: string, headersStart: number): Date | undefined {
  const span = findMembers(text, headersStart, ['eta'])?.get('eta')
  const eta = span && readJson(text.slice(span.start, span.end))
  try {
    return typeof eta === 'string' ? parseInstant(eta) : undefined
  } catch {
    return undefined
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Every character outside of the property stays as it is. A message without properties cannot run, and has none. */
function write(text: string, value: Written): string {
  const properties = findMembers(text, skipSpace(text, 0), ['properties'])?.get('properties')
  const members = properties && findMembers(text, properties.start, [PROPERTY])
  if (properties === undefined || members === undefined) return text
  const json = JSON.stringify(value)
  const present = members.get(PROPERTY)
  if (present !== undefined) return text.slice(0, present.start) + json + text.slice(present.end)
  const end = properties.end - 1
  const isEmpty = text[skipSpace(text, properties.start + 1)] === '}'
  return `${text.slice(0, end)}${isEmpty ? '' : ', '}"${PROPERTY}": ${json}${text.slice(end)}`
}
