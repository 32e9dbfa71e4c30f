import { fullJitterMs } from '../backoff.js'
import { closeRedis, type RedisClient } from '../redis/connect.js'
import type { Log } from '../log.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { Watch } from './watching.js'

/**
 * Any number of waiters on one subscriber connection.
 *
 * A result can be stored at any moment, so the order is: SUBSCRIBE, wait for its confirmation, then GET
 * (wire protocol, section 10.6); what is stored later is announced. After a reconnect the same is done for all
 * that are waited for. A waiter may therefore see the same meta twice, and never misses the last.
 */
export interface ResultSubscriptions {
  readonly watch: Watch
  close(): Promise<void>
}

export interface ResultSubscriptionsOptions {
  /** Used for subscriptions only. */
  readonly client: RedisClient
  readonly channelOf: (taskId: string) => string
  /** Stored texts in the order of the ids. */
  readonly fetchMany: (taskIds: readonly string[]) => Promise<(Buffer | null)[]>
  readonly parse: (stored: Buffer) => ResultMeta
  /** Milliseconds after which what is waited for is looked up anyway, where announcements may get lost. */
  readonly lookAgainMs?: number | undefined
  readonly log: Log
}

const BACKOFF = { firstMs: 50, longestMs: 2000 }

type Listener = (meta: ResultMeta) => void

export function createResultSubscriptions(options: ResultSubscriptionsOptions): ResultSubscriptions {
  const { client, channelOf, log } = options
  const listeners = new Map<string, Set<Listener>>()
  const taskIdOf = new Map<string, string>()
  const retries = new Set<NodeJS.Timeout>()
  let fresh: string[] = []

  const deliver = (taskId: string, stored: Buffer): void => {
    const waiting = listeners.get(taskId)
    if (waiting === undefined) return
    let meta: ResultMeta
    try {
      meta = options.parse(stored)
    } catch (error) {
      log.warn({ err: error, taskId }, 'a stored result cannot be read')
      return
    }
    for (const listener of [...waiting]) listener(meta)
  }

  const synchronize = async (taskIds: readonly string[], attempt = 1): Promise<void> => {
    const awaited = taskIds.filter((taskId) => listeners.has(taskId))
    // When the connection is back, all that is waited for is looked up again.
    if (awaited.length === 0 || client.status !== 'ready') return
    try {
      await client.subscribe(...awaited.map(channelOf))
      const stored = await options.fetchMany(awaited)
      stored.forEach((text, i) => {
        if (text !== null) deliver(awaited[i] ?? '', text)
      })
    } catch (error) {
      log.debug({ err: error }, 'looking up awaited results was interrupted')
      // What was stored before the subscription is announced to nobody, so the look cannot be left out.
      const timer = setTimeout(
        () => {
          retries.delete(timer)
          void synchronize(awaited, attempt + 1)
        },
        fullJitterMs(attempt, BACKOFF),
      )
      retries.add(timer)
    }
  }
  const synchronizeAll = (): void => void synchronize([...listeners.keys()])

  client.on('messageBuffer', (channel: Buffer, message: Buffer) => {
    const taskId = taskIdOf.get(channel.toString())
    if (taskId !== undefined) deliver(taskId, message)
  })
  client.on('ready', synchronizeAll)
  const lookAgain = options.lookAgainMs && setInterval(synchronizeAll, options.lookAgainMs).unref()

  const flush = (): void => {
    const taskIds = fresh.filter((taskId) => listeners.has(taskId))
    fresh = []
    void synchronize(taskIds)
  }

  return {
    watch(taskId, listener) {
      const waiting = listeners.get(taskId) ?? new Set()
      listeners.set(taskId, waiting.add(listener))
      taskIdOf.set(channelOf(taskId), taskId)
      // Also for a second listener, who needs the present state as well as the first.
      if (fresh.push(taskId) === 1) queueMicrotask(flush)
      return () => {
        waiting.delete(listener)
        if (waiting.size > 0 || listeners.get(taskId) !== waiting) return
        listeners.delete(taskId)
        taskIdOf.delete(channelOf(taskId))
        if (client.status === 'ready') {
          client.unsubscribe(channelOf(taskId)).catch((error: unknown) => {
            log.debug({ err: error, taskId }, 'could not unsubscribe')
          })
        }
      }
    },
    close() {
      for (const timer of retries) clearTimeout(timer)
      clearInterval(lookAgain)
      return closeRedis(client)
    },
  }
}
