import { asGlob, type Fanout, type ListenOptions } from './fanout.js'

/** Fanout within one process. What is published is heard in the next turn of the event loop, as from a server. */
export function createMemoryFanout(): Fanout {
  const listeners = new Set<ListenOptions>()
  return {
    publish({ exchange, routingKey, envelope }) {
      const reached = [...listeners].filter(
        (listener) => listener.exchange === exchange && matches(listener.routingKey, routingKey),
      )
      setImmediate(() => {
        for (const listener of reached) if (listeners.has(listener)) listener.onMessage(String(envelope))
      })
      return Promise.resolve(reached.length)
    },
    listen(options) {
      const listener = { ...options }
      listeners.add(listener)
      return {
        established: Promise.resolve(),
        stop() {
          listeners.delete(listener)
          return Promise.resolve()
        },
      }
    },
    watch: () => ({ stop: () => undefined }),
  }
}

function matches(pattern: string, routingKey: string): boolean {
  if (routingKey === '') return pattern === ''
  const parts = asGlob(pattern)
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(routingKey)
}
