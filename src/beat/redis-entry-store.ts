import { randomUUID } from 'node:crypto'
import type { RedisClient } from '../redis/connect.js'
import { loadScript } from '../redis/script.js'
import { decodeEntryState, encodeEntryState, type EntryStore, type StoredEntry } from './entry-store.js'

const saveScript = loadScript(new URL('./lua/save-entry.lua', import.meta.url))
const renewScript = loadScript(new URL('./lua/renew-lease.lua', import.meta.url))
const releaseScript = loadScript(new URL('./lua/release-lease.lua', import.meta.url))

export interface RedisEntryStoreOptions {
  /** Celery's `global_keyprefix`. On a cluster it carries the hash tag that keeps both keys in one slot. */
  readonly prefix?: string
}

/**
 * The state of entries in a hash without expiry, `<prefix>lovage.beat.entries`, and the lease in
 * `<prefix>lovage.beat.lock`, a token that goes when it is not renewed.
 *
 * @param redis - The caller's; it is not closed here.
 */
export function redisEntryStore(redis: RedisClient, options: RedisEntryStoreOptions = {}): EntryStore {
  const { prefix = '' } = options
  const entries = `${prefix}lovage.beat.entries`
  const lock = `${prefix}lovage.beat.lock`

  const stored = (text: string): StoredEntry => ({ state: decodeEntryState(text), revision: text })

  return {
    async read(name) {
      const text = await redis.hget(entries, name)
      return text === null ? undefined : stored(text)
    },

    async save(token, name, revision, state) {
      const text = encodeEntryState(state)
      const reply = await saveScript.run(redis, [lock, entries], [token, name, revision ?? '', text])
      if (reply === 1) return { kind: 'saved', revision: text }
      return { kind: reply === 0 ? 'changed' : 'fenced' }
    },

    async acquire(ttlMs) {
      const token = randomUUID()
      const reply = await redis.set(lock, token, 'PX', ttlMs, 'NX')
      return reply === 'OK' ? token : undefined
    },

    async renew(token, ttlMs) {
      return (await renewScript.run(redis, [lock], [token, ttlMs])) === 1
    },

    async release(token) {
      await releaseScript.run(redis, [lock], [token])
    },
  }
}
