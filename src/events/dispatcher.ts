import { PublishError } from '../broker/errors.js'
import { envelopeBytes } from '../serialization/format-envelope.js'
import { createJsonWriter, literal, type JsonWriter } from '../serialization/json-writer.js'
import { formatJson } from '../serialization/json.js'
import { eventKind, routingKeyOf, utcOffsetHours, type EventFields, type EventKind } from './event.js'
import type { Fanout } from '../broker/fanout.js'
import type { Log } from '../log.js'
import type { LogicalClock } from '../logical-clock.js'

/**
 * Sends events in the name of one node (wire protocol, section 14.1).
 *
 * What cannot be sent is kept, up to {@link MOST_KEPT_BYTES}, and sent when the connection is back: a monitor that
 * misses the end of a task shows it as running for ever.
 */
export interface EventDispatcher {
  /** Send an event by itself, after all that were gathered before. @throws EncodeError for its fields. */
  send(type: string, fields: EventFields): Promise<void>
  /** Send an event together with others of this turn of the event loop, as one message `task.multi`. */
  gather<Subject>(kind: EventKind<Subject>, subject: Subject): void
  /** Resolves when all events are sent, or kept. */
  flush(): Promise<void>
  /** Send no more. What is still kept is lost. */
  close(): Promise<void>
}

export interface EventDispatcherParts {
  readonly fanout: Fanout
  readonly exchange: string
  /** Node name. */
  readonly hostname: string
  readonly logicalClock: LogicalClock
  readonly log: Log
}

/** Bytes of events that are gathered before they are sent, at the latest. */
const MOST_GATHERED_BYTES = 65_536
/** Some ten thousand events. */
const MOST_KEPT_BYTES = 4_194_304
const RETRY_EVERY_MS = 1000
const BYTES_TO_BEGIN_WITH = 4096

const LIST_OPENS = 0x5b
const LIST_CLOSES = literal(']')

interface Outgoing {
  readonly routingKey: string
  readonly envelope: Buffer
}

export function createEventDispatcher(parts: EventDispatcherParts): EventDispatcher {
  const { fanout, exchange, hostname, logicalClock, log } = parts
  const headers = { hostname }
  /** The events that were gathered, each with a comma before it. */
  const json = createJsonWriter(BYTES_TO_BEGIN_WITH)
  let isScheduled = false
  let isClosed = false
  let isRefused = false
  let head: Uint8Array | undefined
  let timestamp = literal('')
  let timestampOf = NaN
  /** What could not be sent, oldest first. */
  let kept: Outgoing[] = []
  let keptBytes = 0
  let retrying: NodeJS.Timeout | undefined
  const sending = new Set<Promise<unknown>>()

  const warnOfRefusal = (error: PublishError): void => {
    if (!isRefused) log.warn({ err: error, exchange }, 'the broker refuses events; monitors hear nothing')
    isRefused = true
  }

  const keep = (outgoing: Outgoing): void => {
    kept.push(outgoing)
    keptBytes += outgoing.envelope.length
    while (keptBytes > MOST_KEPT_BYTES) keptBytes -= kept.shift()?.envelope.length ?? keptBytes
    if (!isClosed) retrying ??= setTimeout(retry, RETRY_EVERY_MS)
  }

  const retry = (): void => {
    retrying = undefined
    const again = kept
    kept = []
    keptBytes = 0
    for (const outgoing of again) dispatch(outgoing)
  }

  const dispatch = (outgoing: Outgoing): void => {
    // In their order: those that were kept first.
    if (kept.length > 0) {
      keep(outgoing)
      return
    }
    const sent = fanout.publish({ exchange, ...outgoing }).catch((error: unknown) => {
      if (error instanceof PublishError && error.code === 'PUBLISH_REFUSED') warnOfRefusal(error)
      else keep(outgoing)
    })
    sending.add(sent)
    void sent.then(() => sending.delete(sent))
  }

  const dispatchWritten = (routingKey: string, payload: Uint8Array): void => {
    const [contentType, contentEncoding] = ['application/json', 'utf-8']
    const content = { payload, contentType, contentEncoding, headers, deliveryMode: 1 } as const
    dispatch({ routingKey, envelope: envelopeBytes({ ...content, exchange, routingKey }) })
    // Summer time may have begun.
    head = undefined
  }

  const dispatchGathered = (): void => {
    isScheduled = false
    if (json.length === 0) return
    json.literal(LIST_CLOSES)
    const list = json.take()
    list[0] = LIST_OPENS
    dispatchWritten('task.multi', list)
  }

  const write = <Subject>(kind: EventKind<Subject>, subject: Subject): void => {
    const now = Date.now()
    if (now !== timestampOf) {
      timestampOf = now
      timestamp = literal(`,"timestamp":${now / 1000}`)
    }
    head ??= headOf(hostname, now)
    json.number(head, logicalClock.forward())
    kind.write(json, subject)
    json.literal(timestamp)
    json.literal(kind.end)
  }

  return {
    async send(type, fields) {
      if (isClosed) return
      const own = formatJson(fields, 'tagged', 'fields').slice(1, -1)
      dispatchGathered()
      write(eventKind(type, writeMembers), own)
      dispatchWritten(routingKeyOf(type), json.take().subarray(1))
      await Promise.all(sending)
    },
    gather(kind, subject) {
      if (isClosed) return
      write(kind, subject)
      if (json.length >= MOST_GATHERED_BYTES) dispatchGathered()
      else if (!isScheduled) {
        isScheduled = true
        setImmediate(dispatchGathered)
      }
    },
    async flush() {
      dispatchGathered()
      await Promise.all(sending)
    },
    async close() {
      if (isClosed) return
      dispatchGathered()
      clearTimeout(retrying)
      retry()
      isClosed = true
      await Promise.all(sending)
    },
  }
}

function headOf(hostname: string, now: number): Uint8Array {
  const utcoffset = utcOffsetHours(new Date(now))
  return literal(
    `,{"hostname":${JSON.stringify(hostname)},"utcoffset":${utcoffset},"pid":${process.pid},"clock":`,
  )
}

function writeMembers(json: JsonWriter, members: string): void {
  if (members !== '') json.raw(`,${members}`)
}
