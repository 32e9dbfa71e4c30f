import { randomUUID } from 'node:crypto'
import { resolveAcceptContent } from '../serialization/serializers.js'
import { MalformedEventError, readEvents, type SentEvent } from './read-events.js'
import type { Fanout, Listening } from '../broker/fanout.js'
import type { Log } from '../log.js'
import type { LogicalClock } from '../logical-clock.js'
import type { CeleryEvent } from './event.js'

export type EventHandler = (event: CeleryEvent) => void

/** What is called for events, by their type; `*` for all others. */
export type EventHandlers = Readonly<Record<string, EventHandler>>

export interface ReceiverOptions {
  /** Which events are received: all, or `worker.#`, `task.#`. @default '#' */
  readonly routingKey?: string
}

export interface CaptureOptions {
  /** Stop after so many events. @default any number */
  readonly limit?: number
  /** Stop after so many milliseconds. @default any time */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Celery's `app.events.Receiver`: calls handlers for what workers and producers send, from its start to its stop. */
export interface EventReceiver extends AsyncDisposable {
  /** Resolves when what is sent from now on is received. Rejects where the server does not let us. */
  start(): Promise<void>
  /** Start, and stop after some time, or so many events. */
  capture(options?: CaptureOptions): Promise<void>
  stop(): Promise<void>
}

export interface ReceiverParts {
  readonly fanout: Fanout
  readonly exchange: string
  readonly logicalClock: LogicalClock
  readonly log: Log
}

/** Between two warnings of malformed events: a peer that sends one sends many. */
const WARN_EVERY_MS = 10_000
const ACCEPTED = resolveAcceptContent(['json'])

/**
 * Times of events are left as they are. Python's receivers shift them by the difference of both sides' time zones,
 * though Unix time has none.
 *
 * @see Celery 5.6, `events/receiver.py`: `EventReceiver`
 */
export function createReceiver(
  { fanout, exchange, logicalClock, log }: ReceiverParts,
  handlers: EventHandlers,
  { routingKey = '#' }: ReceiverOptions = {},
): EventReceiver {
  const queue = `celeryev.${randomUUID()}`
  const warn = malformedWarnings(log)
  let listening: Listening | undefined
  let onReceived: (() => void) | undefined

  const complete = (event: SentEvent): CeleryEvent => {
    const now = Date.now() / 1000
    let { clock } = event
    if (event.type === 'task-sent') {
      // Producers do not hear of others, so what their clocks say orders nothing.
      clock = Math.max(1, logicalClock.value) - 1
      logicalClock.adjust(clock)
    } else if (clock === undefined) clock = logicalClock.forward()
    else logicalClock.adjust(clock)
    return { ...event, clock, timestamp: event.timestamp ?? now, local_received: now }
  }

  const handle = (event: CeleryEvent): void => {
    // Whatever a peer calls its event, `constructor` is none of the handlers.
    const handler = Object.hasOwn(handlers, event.type) ? handlers[event.type] : handlers['*']
    try {
      handler?.(event)
    } catch (error) {
      log.error({ err: error, type: event.type }, 'a handler of events failed')
    }
    onReceived?.()
  }

  const receive = (envelope: string): void => {
    try {
      for (const event of readEvents(envelope, ACCEPTED, warn)) handle(complete(event))
    } catch (error) {
      if (!(error instanceof MalformedEventError)) throw error
      warn(error)
    }
  }

  const receiver: EventReceiver = {
    start() {
      listening ??= fanout.listen({ exchange, routingKey, queue, onMessage: receive })
      return listening.established
    },
    async capture({ limit = Infinity, timeoutMs, signal } = {}) {
      const over = new AbortController()
      const end = (): void => over.abort()
      const ended = new Promise<void>((resolve) => over.signal.addEventListener('abort', () => resolve()))
      const timer = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs)
      signal?.addEventListener('abort', end, { once: true })
      if (signal?.aborted) end()
      let left = limit
      onReceived = () => {
        if (--left === 0) end()
      }
      try {
        await Promise.race([receiver.start(), ended])
        await ended
      } finally {
        clearTimeout(timer)
        signal?.removeEventListener('abort', end)
        onReceived = undefined
        await receiver.stop()
      }
    },
    async stop() {
      const stopping = listening
      listening = undefined
      await stopping?.stop()
    },
    [Symbol.asyncDispose]: () => receiver.stop(),
  }
  return receiver
}

function malformedWarnings(log: Log): (error: MalformedEventError) => void {
  let warnedAt = -Infinity
  let ignored = 0
  return (error) => {
    ignored++
    const now = performance.now()
    if (now - warnedAt < WARN_EVERY_MS) return
    log.warn({ err: error, ignored }, `a malformed event is ignored: ${error.message}`)
    warnedAt = now
    ignored = 0
  }
}
