import { randomUUID } from 'node:crypto'
import { controlExchanges } from './exchanges.js'
import { formatRequest, readReply, type Addressees, type TrustOptions } from './messages.js'
import { PublishError } from '../broker/errors.js'
import type { Broker } from '../broker/broker.js'
import type { Log } from '../log.js'
import type { LogicalClock } from '../logical-clock.js'

export interface MailboxParts extends TrustOptions {
  readonly broker: Broker
  /** The setting. */
  readonly controlExchange: string
  readonly logicalClock: LogicalClock
  readonly log: Log
}

const CONNECT_WITHIN_MS = 5000
/** Where every connection has replied; there may be another node behind one of them. */
const LINGER_MS = 50

/** One request to all nodes, or to some of them. */
export interface Broadcast extends Addressees {
  readonly method: string
  readonly arguments: Readonly<Record<string, unknown>>
}

export interface CollectOptions {
  /** Milliseconds without a reply after which there will be none any more. */
  readonly timeoutMs: number
  /** So many replies are enough. @default the number of destinations, if there are any */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Replies by node name, in the order in which they came. */
export type RawReplies = ReadonlyMap<string, unknown>

/** A caller's side of remote control: kombu's mailbox (wire protocol, sections 15.2 to 15.4). */
export interface Mailbox {
  /** @throws PublishError, EncodeError */
  cast(broadcast: Broadcast): Promise<void>
  /** @throws PublishError, EncodeError, the signal's reason. */
  call(broadcast: Broadcast, options: CollectOptions): Promise<RawReplies>
}

export function createMailbox(parts: MailboxParts): Mailbox {
  const { logicalClock, signer } = parts
  const { requests: exchange, replies: replyExchange } = controlExchanges(parts.controlExchange)

  const publish = (envelope: string): Promise<number | undefined> =>
    parts.broker.fanout.publish({ exchange, routingKey: '', envelope })

  return {
    async cast(broadcast) {
      await connected(parts.broker)
      await publish(
        formatRequest(broadcast, { exchange, clock: logicalClock.forward(), signer, expiresAt: 0 }),
      )
    },

    async call(broadcast, { timeoutMs, limit = broadcast.destination?.length, signal }) {
      signal?.throwIfAborted()
      const ticket = randomUUID()
      const replies = new Map<string, unknown>()
      const silence = startSilence(signal)
      let receivers: number | undefined
      const isForAll = limit === undefined && broadcast.pattern === undefined
      const hasEnough = (): boolean => isForAll && receivers !== undefined && replies.size >= receivers
      const onReply = (envelope: string): void => {
        const reply = read(envelope)
        // One without a ticket is from somebody who does not know better, and is in time.
        if (reply === undefined || (reply.ticket ?? ticket) !== ticket) return
        for (const [node, value] of Object.entries(reply.replies)) replies.set(node, value)
        if (limit !== undefined && replies.size >= limit) silence.end()
        else silence.restart(hasEnough() ? LINGER_MS : timeoutMs)
      }
      const queue = await parts.broker.replies.receive(replyExchange, onReply)
      try {
        const clock = logicalClock.forward()
        const expiresAt = (Date.now() + timeoutMs) / 1000
        const request = { ...broadcast, ticket, replyTo: queue.address }
        receivers = await publish(formatRequest(request, { exchange, clock, signer, expiresAt }))
        if (receivers === 0) silence.end()
        else if (hasEnough()) silence.restart(LINGER_MS)
        else silence.restart(timeoutMs)
        await silence.isOver
      } finally {
        silence.end()
        await queue.close()
      }
      signal?.throwIfAborted()
      return replies
    },
  }

  function read(envelope: string): ReturnType<typeof readReply> | undefined {
    try {
      const reply = readReply(envelope, parts)
      if (reply.clock !== undefined) logicalClock.adjust(reply.clock)
      return reply
    } catch (error) {
      parts.log.warn({ err: error }, 'a reply of remote control cannot be read')
      return undefined
    }
  }
}

/** What is published without a connection is lost, and an app may be at its very beginning. */
async function connected(broker: Broker): Promise<void> {
  try {
    await broker.ping(CONNECT_WITHIN_MS)
  } catch (error) {
    const text = `${(error as Error).message}; the command was not sent`
    throw new PublishError('PUBLISH_TIMEOUT', text, { mayHaveBeenSent: false, cause: error })
  }
}

interface Silence {
  readonly isOver: Promise<void>
  restart(ms: number): void
  end(): void
}

/** A time without replies. It begins when it is restarted first, and is over early when ended, or when `signal` aborts. */
function startSilence(signal: AbortSignal | undefined): Silence {
  let timer: NodeJS.Timeout | undefined
  let isEnded = false
  let finish: () => void = () => undefined
  const isOver = new Promise<void>((resolve) => (finish = resolve))
  const end = (): void => {
    isEnded = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
    finish()
  }
  signal?.addEventListener('abort', end, { once: true })
  return {
    isOver,
    end,
    restart(ms) {
      clearTimeout(timer)
      if (!isEnded) timer = setTimeout(end, ms)
    },
  }
}
