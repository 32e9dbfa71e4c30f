import { PublishError } from '../broker/errors.js'
import { formatEnvelope } from '../serialization/format-envelope.js'
import { formatJson } from '../serialization/json.js'
import { routingKeyOf, utcOffsetHours, type EventFields } from './event.js'
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
  /**
   * Send an event together with others of this turn of the event loop, as one message `task.multi`.
   *
   * @param fields - Members of a JSON object, as text.
   */
  gather(type: string, fields: string): void
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

/** Characters of events that are gathered at most before they are sent. */
const MOST_GATHERED = 65_536
/** Some ten thousand events. */
const MOST_KEPT_BYTES = 4_194_304
const RETRY_EVERY_MS = 1000

interface Outgoing {
  readonly routingKey: string
  /** JSON text. */
  readonly body: string
}

export function createEventDispatcher(parts: EventDispatcherParts): EventDispatcher {
  const { fanout, exchange, hostname, logicalClock, log } = parts
  const headers = { hostname }
  let gathered = ''
  let isScheduled = false
  let isClosed = false
  let isRefused = false
  let head = ''
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
    keptBytes += outgoing.body.length
    while (keptBytes > MOST_KEPT_BYTES) keptBytes -= kept.shift()?.body.length ?? keptBytes
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
    const { routingKey, body } = outgoing
    const envelope = formatEnvelope({
      payload: body,
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers,
      exchange,
      routingKey,
      deliveryMode: 1,
    })
    const sent = fanout.publish({ exchange, routingKey, envelope }).catch((error: unknown) => {
      if (error instanceof PublishError && error.code === 'PUBLISH_REFUSED') warnOfRefusal(error)
      else keep(outgoing)
    })
    sending.add(sent)
    void sent.then(() => sending.delete(sent))
  }

  const dispatchGathered = (): void => {
    isScheduled = false
    // Summer time may have begun.
    head = ''
    if (gathered === '') return
    const body = `[${gathered}]`
    gathered = ''
    dispatch({ routingKey: 'task.multi', body })
  }

  // Put together as text: at a hundred thousand events a second, objects would cost more than the tasks.
  const format = (type: string, fields: string): string => {
    const now = Date.now()
    if (head === '') head = headOf(hostname, now)
    const own = fields === '' ? '' : `${fields},`
    return `${head}${logicalClock.forward()},${own}"timestamp":${now / 1000},"type":${JSON.stringify(type)}}`
  }

  return {
    async send(type, fields) {
      if (isClosed) return
      const event = format(type, formatJson(fields, 'tagged', 'fields').slice(1, -1))
      dispatchGathered()
      dispatch({ routingKey: routingKeyOf(type), body: event })
      await Promise.all(sending)
    },
    gather(type, fields) {
      if (isClosed) return
      const event = format(type, fields)
      gathered = gathered === '' ? event : `${gathered},${event}`
      if (gathered.length >= MOST_GATHERED) dispatchGathered()
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

function headOf(hostname: string, now: number): string {
  const utcoffset = utcOffsetHours(new Date(now))
  return `{"hostname":${JSON.stringify(hostname)},"utcoffset":${utcoffset},"pid":${process.pid},"clock":`
}
