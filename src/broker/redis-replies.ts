import { randomUUID } from 'node:crypto'
import { fullJitterMs } from '../backoff.js'
import { systemClock } from '../clock.js'
import { bindingMember } from './publish.js'
import { loadScript } from '../redis/script.js'
import { closeRedis, ready } from '../redis/connect.js'
import type { Replies, ReplyAddress } from './replies.js'
import type { BrokerKeys } from './keys.js'
import type { Log } from '../log.js'
import type { Redis } from 'ioredis'

const replyScript = loadScript(new URL('./lua/reply.lua', import.meta.url))

/** After so long without another reply nobody reads the list any more. */
const LIST_EXPIRES_SECONDS = 60
const POP_SECONDS = 1
const BACKOFF = { firstMs: 50, longestMs: 500 }

export interface RedisRepliesOptions {
  /** For commands that do not wait. */
  readonly client: Redis
  /** Opens the connection that waits for replies. */
  readonly open: () => Redis
  readonly keys: BrokerKeys
  readonly sep: string
  readonly log: Log
}

/** One queue, for all who receive from an exchange at the moment. */
interface Inbox {
  readonly address: ReplyAddress
  readonly receivers: Set<(envelope: string) => void>
  readonly declared: Promise<unknown>
}

/** Name of the queue that Python gives a caller's replies. */
export function replyQueueName({ exchange, routingKey }: ReplyAddress): string {
  return `${routingKey}.${exchange}`
}

/** Replies on lists, as Celery has them; one connection pops those of all who wait. */
export function createRedisReplies(options: RedisRepliesOptions): Replies & { close(): void } {
  const { client, keys, sep, log } = options
  const inboxes = new Map<string, Inbox>()
  /** The same again for who asks again, since the connection may be waiting on that list just now. */
  const routingKey = randomUUID()
  let connection: Redis | undefined
  let isPopping = false
  let isClosed = false

  const memberOf = (address: ReplyAddress): string =>
    bindingMember(replyQueueName(address), sep, address.routingKey)

  const listOf = (address: ReplyAddress): string => keys.list(replyQueueName(address), 0)

  const deliver = (list: string, envelope: string): void => {
    for (const { address, receivers } of inboxes.values()) {
      if (listOf(address) !== list) continue
      for (const receiver of [...receivers]) receiver(envelope)
    }
  }

  const pop = async (): Promise<void> => {
    if (isPopping) return
    isPopping = true
    connection ??= options.open()
    for (let failures = 0; inboxes.size > 0 && !isClosed;) {
      try {
        await ready(connection)
        const lists = [...inboxes.values()].map(({ address }) => listOf(address))
        // All may have had what they wanted while it connected.
        if (lists.length === 0) break
        const popped = await connection.brpop(lists, POP_SECONDS)
        if (popped !== null) deliver(...popped)
        failures = 0
      } catch (error) {
        failures++
        if (failures === 1 && !isClosed) log.warn({ err: error }, 'could not receive replies; trying again')
        await systemClock.sleep(fullJitterMs(failures, BACKOFF))
      }
    }
    isPopping = false
    // It has waited for a second in case that somebody comes; connections are few.
    const idle = connection
    connection = undefined
    await closeRedis(idle)
  }

  const leave = async ({ address }: Inbox): Promise<void> => {
    try {
      await client
        .pipeline()
        .srem(keys.binding(address.exchange), memberOf(address))
        .del(listOf(address))
        .exec()
    } catch (error) {
      log.debug({ err: error }, 'could not remove a queue for replies; its list expires by itself')
    }
  }

  return {
    async send(to, envelope) {
      if (client.status !== 'ready') await ready(client)
      const args = [memberOf(to), envelope, LIST_EXPIRES_SECONDS]
      return (await replyScript.run(client, [keys.binding(to.exchange), listOf(to)], args)) === 1
    },

    async receive(exchange, onReply) {
      if (client.status !== 'ready') await ready(client)
      const address = { exchange, routingKey }
      const inbox: Inbox = inboxes.get(exchange) ?? {
        address,
        receivers: new Set(),
        declared: client.sadd(keys.binding(exchange), memberOf(address)),
      }
      inboxes.set(exchange, inbox)
      inbox.receivers.add(onReply)
      const close = async (): Promise<void> => {
        if (!inbox.receivers.delete(onReply) || inbox.receivers.size > 0) return
        inboxes.delete(exchange)
        await leave(inbox)
      }
      try {
        await inbox.declared
      } catch (error) {
        await close()
        throw error
      }
      void pop()
      return { address: inbox.address, close }
    },

    close() {
      isClosed = true
      // While it waits for replies it could not say goodbye.
      connection?.disconnect()
    },
  }
}
