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
  readonly log: Log
}

type Listener = (meta: ResultMeta) => void

export function createResultSubscriptions(options: ResultSubscriptionsOptions): ResultSubscriptions {
  const { client, channelOf, log } = options
  const listeners = new Map<string, Set<Listener>>()
  const taskIdOf = new Map<string, string>()
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

  const synchronize = async (taskIds: readonly string[]): Promise<void> => {
    if (taskIds.length === 0 || client.status !== 'ready') return
    try {
      await client.subscribe(...taskIds.map(channelOf))
      const stored = await options.fetchMany(taskIds)
      stored.forEach((text, i) => {
        if (text !== null) deliver(taskIds[i] ?? '', text)
      })
    } catch (error) {
      // Nothing is lost: everything that is waited for is looked up again when the connection is back.
      log.debug({ err: error }, 'looking up awaited results was interrupted')
    }
  }

  client.on('messageBuffer', (channel: Buffer, message: Buffer) => {
    const taskId = taskIdOf.get(channel.toString())
    if (taskId !== undefined) deliver(taskId, message)
  })
  client.on('ready', () => void synchronize([...listeners.keys()]))

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
    close: () => closeRedis(client),
  }
}
