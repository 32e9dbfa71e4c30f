import { PublishError } from './errors.js'
import type { OutgoingMessage, PublishOptions } from './broker.js'
import type { PushOutcome } from './publish.js'

/** One message on its way, with the promise of its caller. */
export interface OutboxEntry {
  readonly message: OutgoingMessage
  readonly deadline: number
  isSettled: boolean
  /** Why the server has not taken it so far. */
  refusal?: string | undefined
  readonly resolve: () => void
  readonly reject: (error: PublishError) => void
}

export interface Outbox {
  /** Settles when the message was pushed, or within its time with a {@link PublishError}. */
  add(message: OutgoingMessage, options: PublishOptions): Promise<void>
  /** Refuse what waits and what comes. */
  close(): void
}

export interface OutboxOptions {
  /**
   * Push the messages, or return false where there is no connection: they then stay in the outbox and are
   * offered again on `flush` and soon. So do those whose outcome is a `PushAgain`.
   */
  readonly push: (messages: readonly OutgoingMessage[]) => Promise<readonly PushOutcome[]> | false
  /** Of the broker, without its password. */
  readonly url: string
  /** Why there is no connection. */
  readonly whyAway: () => string
  readonly defaultTimeoutMs: number
  readonly now: () => number
}

/** Messages that wait while the broker is away; more would only hide that nothing moves. */
const MOST_WAITING = 10_000
/** Publishes give up, and are offered again, with this much delay at most: one timer serves all of them. */
const SWEEP_MS = 50

/**
 * Gathers the messages of one turn of the event loop into one write, holds them while there is no connection,
 * and gives each caller an answer within its time, whatever the network does.
 *
 * A message that certainly was not pushed, as the server is not the primary any more or its slot moves, is offered again
 * within its time. Otherwise it is offered once: if the connection breaks before the reply, nobody can know whether it was
 * pushed; it is not pushed again here, since a task that runs twice is worse than an error that says so.
 */
export function createOutbox(options: OutboxOptions): Outbox & { flush(): void } {
  let waiting: OutboxEntry[] = []
  const inFlight = new Set<readonly OutboxEntry[]>()
  let scheduled = false
  let closed = false
  let sweeper: NodeJS.Timeout | undefined

  const settle = (entry: OutboxEntry, error?: PublishError): void => {
    if (entry.isSettled) return
    entry.isSettled = true
    if (error === undefined) entry.resolve()
    else entry.reject(error)
  }

  const notSentInTime = ({ refusal }: OutboxEntry): PublishError => {
    const why =
      refusal === undefined
        ? `no connection to ${options.url} in time: ${options.whyAway()}`
        : `${options.url} did not take it in time: ${refusal}`
    return new PublishError('PUBLISH_TIMEOUT', `${why}; the message was not sent`, UNSENT)
  }

  const sweep = (): void => {
    const now = options.now()
    waiting = waiting.filter((entry) => {
      if (!entry.isSettled && entry.deadline <= now) settle(entry, notSentInTime(entry))
      return !entry.isSettled
    })
    for (const batch of inFlight) {
      for (const entry of batch) if (entry.deadline <= now) settle(entry, unconfirmed(options.url))
    }
    if (waiting.length === 0 && inFlight.size === 0) {
      clearInterval(sweeper)
      sweeper = undefined
    }
    flush()
  }

  const flush = (): void => {
    scheduled = false
    const batch = waiting.filter((entry) => !entry.isSettled)
    if (batch.length === 0) return
    const pushed = options.push(batch.map((entry) => entry.message))
    if (pushed === false) return
    waiting = []
    inFlight.add(batch)
    void pushed
      .then(
        (outcomes) => {
          const again: OutboxEntry[] = []
          batch.forEach((entry, i) => {
            const outcome = outcomes[i]
            if (outcome === undefined) settle(entry)
            else if (outcome instanceof Error) settle(entry, asPublishError(outcome))
            else {
              entry.refusal = outcome.again
              if (closed) settle(entry, closedError())
              again.push(entry)
            }
          })
          waiting.unshift(...again)
        },
        (error: unknown) => {
          for (const entry of batch) settle(entry, asPublishError(error))
        },
      )
      .finally(() => inFlight.delete(batch))
  }

  return {
    add(message, { timeoutMs = options.defaultTimeoutMs, signal }) {
      if (closed) return Promise.reject(closedError())
      if (signal?.aborted) return Promise.reject(aborted(signal))
      if (waiting.length >= MOST_WAITING) {
        const text = `${MOST_WAITING} messages wait for a connection to the broker already`
        return Promise.reject(new PublishError('OUTBOX_FULL', text, UNSENT))
      }
      return new Promise((resolve, reject) => {
        const entry: OutboxEntry = {
          message,
          deadline: options.now() + timeoutMs,
          isSettled: false,
          resolve,
          reject,
        }
        waiting.push(entry)
        if (signal !== undefined) {
          const onAbort = (): void => settle(entry, aborted(signal, !waiting.includes(entry)))
          signal.addEventListener('abort', onAbort, { once: true })
        }
        if (!scheduled) {
          scheduled = true
          queueMicrotask(flush)
        }
        sweeper ??= setInterval(sweep, SWEEP_MS)
      })
    },
    flush,
    close() {
      closed = true
      clearInterval(sweeper)
      for (const entry of waiting) settle(entry, closedError())
      for (const batch of inFlight) {
        for (const entry of batch) settle(entry, unconfirmed(options.url))
      }
    },
  }
}

const UNSENT = { mayHaveBeenSent: false }

function unconfirmed(url: string): PublishError {
  const text = `${url} did not confirm the message in time; it may have been sent`
  return new PublishError('PUBLISH_TIMEOUT', text, { mayHaveBeenSent: true })
}

function closedError(): PublishError {
  return new PublishError('BROKER_CLOSED', 'the broker was closed', UNSENT)
}

function aborted(signal: AbortSignal, mayHaveBeenSent = false): PublishError {
  return new PublishError('PUBLISH_TIMEOUT', 'publishing was aborted', {
    mayHaveBeenSent,
    cause: signal.reason,
  })
}

function asPublishError(error: unknown): PublishError {
  if (error instanceof PublishError) return error
  return new PublishError(
    'PUBLISH_INTERRUPTED',
    'the connection broke before the broker confirmed the message',
    {
      mayHaveBeenSent: true,
      cause: error,
    },
  )
}
