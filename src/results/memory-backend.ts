import { parseResultMeta, type ResultMeta } from '../serialization/result-meta.js'
import { createMemoryChords } from './memory-chords.js'
import { streamUpdates, waitUntilReady, type Watch } from './watching.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { Serializer } from '../serialization/serializers.js'
import type { ResultBackend } from './result-backend.js'

interface Entry {
  readonly meta: ResultMeta
  readonly expiresAt: number
}

/** Results in the memory of one process, for tests and a first try. @param serializer - As Celery's `result_serializer`. */
export function createMemoryBackend(serializer?: Serializer): ResultBackend {
  const entries = new Map<string, Entry>()
  const groups = new Map<string, ResultTuple>()
  const listeners = new Map<string, Set<(meta: ResultMeta) => void>>()

  const find = (taskId: string): ResultMeta | undefined => {
    const entry = entries.get(taskId)
    if (entry !== undefined && entry.expiresAt <= Date.now()) {
      entries.delete(taskId)
      return undefined
    }
    return entry?.meta
  }

  const watch: Watch = (taskId, listener) => {
    const waiting = listeners.get(taskId) ?? new Set()
    listeners.set(taskId, waiting.add(listener))
    queueMicrotask(() => {
      const meta = find(taskId)
      if (meta !== undefined && waiting.has(listener)) listener(meta)
    })
    return () => {
      waiting.delete(listener)
      if (waiting.size === 0 && listeners.get(taskId) === waiting) listeners.delete(taskId)
    }
  }

  return {
    url: 'memory://',
    keepsResults: true,
    store(results) {
      for (const { taskId, text, expiresSeconds } of results) {
        if (find(taskId)?.status === 'SUCCESS') continue
        const meta = parseResultMeta(text, serializer)
        const expiresAt = expiresSeconds > 0 ? Date.now() + expiresSeconds * 1000 : Infinity
        entries.set(taskId, { meta, expiresAt })
        for (const listener of [...(listeners.get(taskId) ?? [])]) listener(meta)
      }
      return Promise.resolve()
    },
    fetch: (taskId) => Promise.resolve(find(taskId)),
    fetchMany: (taskIds) => Promise.resolve(taskIds.map(find)),
    forget(taskIds) {
      for (const taskId of taskIds) entries.delete(taskId)
      return Promise.resolve()
    },
    wait: (taskId, options) => waitUntilReady(watch, taskId, options),
    updates: (taskId, options) => streamUpdates(watch, taskId, options),
    saveGroup(groupId, group) {
      groups.set(groupId, group)
      return Promise.resolve()
    },
    restoreGroup: (groupId) => Promise.resolve(groups.get(groupId)),
    deleteGroup(groupId) {
      groups.delete(groupId)
      return Promise.resolve()
    },
    chords: createMemoryChords(serializer),
    ping: () => Promise.resolve(0),
    close: () => Promise.resolve(),
  }
}
