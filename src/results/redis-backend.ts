import {
  closeRedis,
  isCluster,
  openRedis,
  openSingle,
  ready,
  roundTripMs,
  type RedisClient,
  type RedisConnectionOptions,
} from '../redis/connect.js'
import { isRefusal, loadScript } from '../redis/script.js'
import { parseResultMeta, type ResultMeta } from '../serialization/result-meta.js'
import { ResultBackendFullError, ResultRefusedError } from './errors.js'
import { redactUrls, type Log } from '../log.js'
import { UnreadableResultError } from '../serialization/errors.js'
import { createRedisChords } from './redis-chords.js'
import { createResultSubscriptions, type ResultSubscriptions } from './subscriptions.js'
import { resultKeys } from './keys.js'
import { readStoredGroup, formatStoredGroup } from '../serialization/stored-group.js'
import { streamUpdates, waitUntilReady } from './watching.js'
import type { Serializer } from '../serialization/serializers.js'
import type { ResultBackend, StoredResult } from './result-backend.js'

const storeScript = loadScript(new URL('./lua/store.lua', import.meta.url))

export interface RedisBackendOptions {
  readonly connection: RedisConnectionOptions
  /** The backend's `global_keyprefix`; an underscore is added unless it ends in one of `: _ - .` (section 9). */
  readonly globalKeyprefix?: string
  /** Celery's `result_serializer`. @default 'json' */
  readonly serializer?: Serializer
  /** Celery's `result_expires` for groups and chords: seconds; 0 keeps them for ever. @default 86400 */
  readonly expiresSeconds?: number
  /** Celery's `result_chord_ordered`: whether parts of chords are recorded with their index. @default true */
  readonly isChordOrdered?: boolean
  readonly log: Log
}

const LOOK_AGAIN_MS = 5000

/** How many results one script call stores. */
const MOST_PER_CALL = 500
/** How many results one command fetches. */
const MOST_PER_FETCH = 2000

/** Results on Redis: Celery's keys, texts and channels (wire protocol, section 10). */
export function createRedisBackend(options: RedisBackendOptions): ResultBackend {
  const { connection, serializer, expiresSeconds = 86_400, isChordOrdered = true } = options
  const keys = resultKeys(options.globalKeyprefix ?? '', { isCluster: isCluster(connection) })
  const keyOf = keys.task
  let opened: RedisClient | undefined
  // By the first who stores or asks: a program that only sends tasks has one connection.
  const open = (): RedisClient => (opened ??= openRedis(connection, 'results', options.log))
  let subscriptions: ResultSubscriptions | undefined

  const fetchTexts = async (taskIds: readonly string[]): Promise<(Buffer | null)[]> => {
    const client = open()
    await ready(client, {})
    if (client.isCluster) return Promise.all(taskIds.map((id) => client.getBuffer(keyOf(id))))
    const texts: (Buffer | null)[] = []
    for (let first = 0; first < taskIds.length; first += MOST_PER_FETCH) {
      texts.push(...(await client.mgetBuffer(taskIds.slice(first, first + MOST_PER_FETCH).map(keyOf))))
    }
    return texts
  }
  // Waiting costs a connection of its own, opened by the first who waits.
  const watch = (...args: Parameters<ResultSubscriptions['watch']>): (() => void) => {
    subscriptions ??= createResultSubscriptions({
      // On a cluster every node announces what was published on any of them, unless it loses its link to that.
      client: openSingle(connection, 'result-waits', keyOf(''), options.log),
      lookAgainMs: isCluster(connection) ? LOOK_AGAIN_MS : undefined,
      channelOf: keyOf,
      fetchMany: fetchTexts,
      parse: (stored) => parseResultMeta(stored, serializer),
      log: options.log,
    })
    return subscriptions.watch(...args)
  }

  return {
    url: redactUrls(connection.url),
    keepsResults: true,

    async store(results, { memoryLimit = 'respect' } = {}) {
      const client = open()
      const calls: Promise<unknown>[] = []
      if (client.isCluster) await ready(client)
      // On a cluster results spread over all slots, and a script may touch one slot only.
      const most = client.isCluster ? 1 : MOST_PER_CALL
      for (let first = 0; first < results.length; first += most) {
        calls.push(storeSome(client, keyOf, results.slice(first, first + most), memoryLimit))
      }
      try {
        await Promise.all(calls)
      } catch (error) {
        throw asStoreError(error)
      }
    },

    async fetch(taskId) {
      const [stored] = await fetchTexts([taskId])
      return stored ? parseOf(taskId, stored, serializer) : undefined
    },

    async fetchMany(taskIds) {
      const texts = await fetchTexts(taskIds)
      return texts.map((stored, i) => (stored ? parseOf(taskIds[i] ?? '', stored, serializer) : undefined))
    },

    async forget(taskIds) {
      const client = open()
      await ready(client, {})
      // On a cluster keys of one command are in one slot.
      const most = client.isCluster ? 1 : MOST_PER_FETCH
      const calls: Promise<unknown>[] = []
      for (let first = 0; first < taskIds.length; first += most) {
        calls.push(client.del(taskIds.slice(first, first + most).map(keyOf)))
      }
      await Promise.all(calls)
    },

    wait: (taskId, waitOptions) => waitUntilReady(watch, taskId, waitOptions),
    updates: (taskId, waitOptions) => streamUpdates(watch, taskId, waitOptions),

    async saveGroup(groupId, group) {
      const client = open()
      await ready(client)
      const key = keys.group(groupId)
      const text = formatStoredGroup(group, serializer)
      const life = Math.floor(expiresSeconds)
      await (life > 0 ? client.set(key, text, 'EX', life) : client.set(key, text))
      await client.publish(key, text)
    },

    async restoreGroup(groupId) {
      const client = open()
      await ready(client)
      const stored = await client.getBuffer(keys.group(groupId))
      return stored ? readStoredGroup(stored, serializer) : undefined
    },

    async deleteGroup(groupId) {
      const client = open()
      await ready(client)
      await client.del(keys.group(groupId))
    },

    chords: createRedisChords({
      open,
      keysOf: keys.chord,
      expiresSeconds,
      isOrdered: isChordOrdered,
      serializer,
    }),

    ping: (timeoutMs) => roundTripMs(open(), timeoutMs),

    async close() {
      await Promise.all([opened && closeRedis(opened), subscriptions?.close()])
    },
  }
}

/** With the id also where the text does not say it. @throws UnreadableResultError */
function parseOf(taskId: string, stored: Buffer, serializer: Serializer | undefined): ResultMeta {
  try {
    return parseResultMeta(stored, serializer)
  } catch (error) {
    if (!(error instanceof UnreadableResultError) || error.taskId !== undefined) throw error
    throw new UnreadableResultError(`task ${taskId}: ${error.message}`, { taskId, cause: error })
  }
}

function storeSome(
  client: RedisClient,
  keyOf: (taskId: string) => string,
  results: readonly StoredResult[],
  memoryLimit: 'respect' | 'exceed',
): Promise<unknown> {
  const keys: string[] = []
  const args: (string | number | Buffer)[] = [memoryLimit]
  for (const { taskId, text, expiresSeconds } of results) {
    keys.push(keyOf(taskId))
    args.push(Math.floor(expiresSeconds), typeof text === 'string' ? text : Buffer.from(text))
  }
  return storeScript.run(client, keys, args)
}

/** Answers that have to do with the state of the server, or of its operator's mind, not with what it was asked. */
const PASSING =
  /(?:^|-)(?:READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|MISCONF|NOREPLICAS|NOAUTH|NOPERM|WRONGPASS|UNBLOCKED|NOSCRIPT)\b/

function asStoreError(error: unknown): unknown {
  if (!isRefusal(error) || PASSING.test(error.message)) return error
  const { message, cause } = { message: `Redis refused to store a result: ${error.message}`, cause: error }
  // Redis 6 reports what a script met in the middle of its own text.
  if (/(?:^|-)OOM\b/.test(error.message)) return new ResultBackendFullError(message, { cause })
  return new ResultRefusedError(message, { cause })
}
