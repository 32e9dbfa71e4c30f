import { fullJitterMs } from '../backoff.js'
import { closeRedis } from '../redis/connect.js'
import type { Redis } from 'ioredis'
import type { Log } from '../log.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import { createWatcher, type StoredState, type Watcher } from './watcher.js'
import type { Watch } from './watching.js'

/**
 * Any number of waiters on one subscriber connection.
 *
 * A result can be stored at any moment, so the order is: SUBSCRIBE, wait for its confirmation, then GET
 * (wire protocol, section 10.6); what is stored later is announced. After a reconnect the same is done for all
 * that are waited for. A waiter may therefore see the same meta twice, and never misses the last.
 *
 * Announcements and what was looked up come over two connections, of which either may lag. So what is announced from the
 * look on is kept until it is known what it has to stand behind (`watcher.ts`). Where the look found a state that others
 * will follow, that is known when the subscriber's connection has answered once more: what was announced before the
 * look has come by then.
 */
export interface ResultSubscriptions {
  readonly watch: Watch
  close(): Promise<void>
}

export interface ResultSubscriptionsOptions {
  /** Used for subscriptions only. */
  readonly client: Redis
  readonly channelOf: (taskId: string) => string
  /** Stored texts in the order of the ids. */
  readonly fetchMany: (taskIds: readonly string[]) => Promise<(Buffer | null)[]>
  readonly parse: (stored: Buffer) => ResultMeta
  /** Milliseconds after which what is waited for is looked up anyway, where announcements may get lost. */
  readonly lookAgainMs?: number | undefined
  readonly log: Log
}

const BACKOFF = { firstMs: 50, longestMs: 2000 }
/** Tasks of one SUBSCRIBE and one look. */
const MOST_AT_ONCE = 5000
/** Whoever calls one task after another waits for none of these commands, and one serves many. */
const LEAVE_AFTER_MS = 50

export function createResultSubscriptions(options: ResultSubscriptionsOptions): ResultSubscriptions {
  const { client, channelOf, log } = options
  const watchers = new Map<string, Set<Watcher>>()
  const taskIdOf = new Map<string, string>()
  const retries = new Set<NodeJS.Timeout>()
  let fresh: Watcher[] = []
  let left: string[] = []
  let leaving: NodeJS.Timeout | undefined

  const read = (taskId: string, text: Buffer): ResultMeta | undefined => {
    try {
      return options.parse(text)
    } catch (error) {
      log.warn({ err: error, taskId }, 'a stored result cannot be read')
      return undefined
    }
  }
  const isWatched = (watcher: Watcher): boolean => watchers.get(watcher.taskId)?.has(watcher) === true

  const synchronize = async (some: readonly Watcher[], attempt = 1): Promise<void> => {
    const looking = some.filter(isWatched)
    // When the connection is back, all that is waited for is looked up again.
    if (looking.length === 0 || client.status !== 'ready') return
    const taskIds = [...new Set(looking.map(({ taskId }) => taskId))]
    const looks = looking.map((watcher) => watcher.look())
    try {
      await client.subscribe(...taskIds.map(channelOf))
      const texts = await options.fetchMany(taskIds)
      const found = new Map<string, StoredState>()
      texts.forEach((text, i) => {
        const taskId = taskIds[i] ?? ''
        const meta = text === null ? undefined : read(taskId, text)
        if (text !== null && meta !== undefined) found.set(taskId, { text, meta })
      })
      const open = looks.filter((look) => !look.found(found.get(look.taskId)) && watchers.has(look.taskId))
      if (open.length === 0) return
      // Subscribed to already; it is the answer that counts, and PING may be denied.
      await client.subscribe(...open.map((look) => channelOf(look.taskId)))
      for (const look of open) look.end()
    } catch (error) {
      log.debug({ err: error }, 'looking up awaited results was interrupted')
      for (const look of looks) look.giveUp()
      // What was stored before the subscription is announced to nobody, so the look cannot be left out.
      const timer = setTimeout(
        () => {
          retries.delete(timer)
          void synchronize(looking, attempt + 1)
        },
        fullJitterMs(attempt, BACKOFF),
      )
      retries.add(timer)
    }
  }
  const synchronizeInParts = (some: readonly Watcher[]): void => {
    for (let first = 0; first < some.length; first += MOST_AT_ONCE)
      void synchronize(some.slice(first, first + MOST_AT_ONCE))
  }
  const synchronizeAll = (): void => synchronizeInParts([...watchers.values()].flatMap((set) => [...set]))

  client.on('messageBuffer', (channel: Buffer, text: Buffer) => {
    const taskId = taskIdOf.get(channel.toString())
    const waiting = taskId === undefined ? undefined : watchers.get(taskId)
    if (taskId === undefined || waiting === undefined) return
    const meta = read(taskId, text)
    if (meta === undefined) return
    for (const watcher of [...waiting]) watcher.announced({ text, meta })
  })
  client.on('ready', synchronizeAll)
  const lookAgain = options.lookAgainMs && setInterval(synchronizeAll, options.lookAgainMs).unref()

  const flush = (): void => {
    const some = fresh
    fresh = []
    synchronizeInParts(some)
  }

  /** In one command for all that nobody waits for any more, and nobody began to wait for again. */
  const leave = (): void => {
    leaving = undefined
    const channels = left.filter((taskId) => !watchers.has(taskId)).map(channelOf)
    left = []
    if (client.status !== 'ready') return
    for (let first = 0; first < channels.length; first += MOST_AT_ONCE) {
      client.unsubscribe(...channels.slice(first, first + MOST_AT_ONCE)).catch((error: unknown) => {
        log.debug({ err: error, channels: channels.length }, 'could not unsubscribe')
      })
    }
  }

  return {
    watch(taskId, listener) {
      const watcher = createWatcher(taskId, listener)
      const waiting = watchers.get(taskId) ?? new Set()
      watchers.set(taskId, waiting.add(watcher))
      taskIdOf.set(channelOf(taskId), taskId)
      // Also for a second listener, who needs the present state as well as the first.
      if (fresh.push(watcher) === 1) queueMicrotask(flush)
      return () => {
        waiting.delete(watcher)
        if (waiting.size > 0 || watchers.get(taskId) !== waiting) return
        watchers.delete(taskId)
        taskIdOf.delete(channelOf(taskId))
        left.push(taskId)
        leaving ??= setTimeout(leave, LEAVE_AFTER_MS).unref()
      }
    },
    close() {
      for (const timer of retries) clearTimeout(timer)
      clearInterval(lookAgain)
      clearTimeout(leaving)
      return closeRedis(client)
    },
  }
}
