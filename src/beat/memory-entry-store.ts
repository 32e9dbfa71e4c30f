import { randomUUID } from 'node:crypto'
import { type Clock, systemClock } from '../clock.js'
import { decodeEntryState, encodeEntryState, type EntryStore, type StoredEntry } from './entry-store.js'

/** For beats of one process, on `memory://`: nothing outlives it. */
export function memoryEntryStore(clock: Clock = systemClock): EntryStore {
  const texts = new Map<string, string>()
  let lease: { readonly token: string; readonly until: number } | undefined

  const stored = (text: string): StoredEntry => ({ state: decodeEntryState(text), revision: text })
  const isHolder = (token: string): boolean => lease?.token === token && clock.now() < lease.until

  return {
    read(name) {
      const text = texts.get(name)
      return Promise.resolve(text === undefined ? undefined : stored(text))
    },

    save(token, name, revision, state) {
      if (!isHolder(token)) return Promise.resolve({ kind: 'fenced' })
      if (texts.get(name) !== revision) return Promise.resolve({ kind: 'changed' })
      const text = encodeEntryState(state)
      texts.set(name, text)
      return Promise.resolve({ kind: 'saved', revision: text })
    },

    acquire(ttlMs) {
      if (lease !== undefined && isHolder(lease.token)) return Promise.resolve(undefined)
      lease = { token: randomUUID(), until: clock.now() + ttlMs }
      return Promise.resolve(lease.token)
    },

    renew(token, ttlMs) {
      if (!isHolder(token)) return Promise.resolve(false)
      lease = { token, until: clock.now() + ttlMs }
      return Promise.resolve(true)
    },

    release(token) {
      if (isHolder(token)) lease = undefined
      return Promise.resolve()
    },
  }
}
