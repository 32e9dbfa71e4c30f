import { PublishError } from '../broker/errors.js'
import { envelopeBytes } from '../serialization/format-envelope.js'
import { createJsonWriter, literal, type JsonWriter } from '../serialization/json-writer.js'
import { formatJson } from '../serialization/json.js'
import { eventKind, routingKeyOf, utcOffsetHours, type EventFields, type OutgoingEvent } from './event.js'
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
  gather(event: OutgoingEvent): void
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

/** Bytes after which a list of events is sent, and the next one begun. */
const MOST_LISTED_BYTES = 65_536
/** Some ten thousand events. */
const MOST_KEPT_BYTES = 4_194_304
const RETRY_EVERY_MS = 1000
const BYTES_TO_BEGIN_WITH = 4096

const LIST_OPENS = 0x5b
const LIST_CLOSES = literal(']')

/** An event that has happened, and is not written yet. */
interface Gathered {
  readonly event: OutgoingEvent
  readonly clock: number
  /** Unix milliseconds. */
  readonly happenedAt: number
}

interface Outgoing {
  readonly routingKey: string
  readonly envelope: Buffer
}

export function createEventDispatcher(parts: EventDispatcherParts): EventDispatcher {
  const { fanout, exchange, hostname, logicalClock, log } = parts
  const headers = { hostname }
  /** They are written at the end of the turn, when a worker's next claim is on its way, so that the server works meanwhile. */
  let gathered: Gathered[] = []
  /** Events, each with a comma before it. */
  const json = createJsonWriter(BYTES_TO_BEGIN_WITH)
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

  const dispatchList = (): void => {
    json.literal(LIST_CLOSES)
    const list = json.take()
    list[0] = LIST_OPENS
    dispatchWritten('task.multi', list)
  }

  const dispatchGathered = (): void => {
    const events = gathered
    gathered = []
    for (const event of events) {
      write(event)
      if (json.length >= MOST_LISTED_BYTES) dispatchList()
    }
    if (json.length > 0) dispatchList()
  }

  const happened = (event: OutgoingEvent): Gathered => {
    return { event, clock: logicalClock.forward(), happenedAt: Date.now() }
  }

  const write = ({ event, clock, happenedAt }: Gathered): void => {
    if (happenedAt !== timestampOf) {
      timestampOf = happenedAt
      timestamp = literal(`,"timestamp":${happenedAt / 1000}`)
    }
    head ??= headOf(hostname, happenedAt)
    json.number(head, clock)
    event.write(json)
    json.literal(timestamp)
    json.literal(event.end)
  }

  return {
    async send(type, fields) {
      if (isClosed) return
      const own = formatJson(fields, 'tagged', 'fields').slice(1, -1)
      dispatchGathered()
      write(happened(eventKind(type, writeMembers)(own)))
      dispatchWritten(routingKeyOf(type), json.take().subarray(1))
      await Promise.all(sending)
    },
    gather(event) {
      if (isClosed) return
      if (gathered.length === 0) setImmediate(dispatchGathered)
      gathered.push(happened(event))
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
