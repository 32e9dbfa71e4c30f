import { asGlob, type Fanout, type ListenOptions, type OutageWatcher } from './fanout.js'
import { isElsewhere, isRefusal } from '../redis/script.js'
import { PublishError } from './errors.js'
import { bindingMember } from './publish.js'
import type { BrokerKeys } from './keys.js'
import type { Log } from '../log.js'
import type { Redis } from 'ioredis'
import type { Subscriber } from './subscriber.js'

export interface RedisFanoutOptions {
  /** For what is published and for the bindings. */
  readonly client: Redis
  /** Opens the subscriber's connection with the first listener. */
  readonly subscriber: () => Subscriber
  readonly keys: BrokerKeys
  readonly sep: string
  readonly isCluster: boolean
  readonly log: Log
}

interface Listener extends ListenOptions {
  readonly pattern: string
  isEstablished: boolean
  /** Settle the promise of whoever began to listen. */
  readonly established: (error?: Error) => void
}

/** Fanout by PUBLISH and PSUBSCRIBE. Who listens is subscribed again whenever the connection is back. */
export function createRedisFanout(options: RedisFanoutOptions): Fanout {
  const { client, keys, sep, log } = options
  const listeners = new Set<Listener>()
  const watchers = new Set<OutageWatcher>()
  let isLost = false
  let subscriber: Redis | undefined
  const binding = ({ exchange, routingKey, queue }: ListenOptions): [key: string, member: string] => [
    keys.binding(exchange),
    bindingMember(queue, sep, routingKey),
  ]

  const subscribe = async (to: Redis, listener: Listener): Promise<void> => {
    // When the connection is back, all are subscribed.
    if (to.status !== 'ready') return
    try {
      await to.psubscribe(listener.pattern)
      if (listener.isEstablished) listener.onResumed?.()
      listener.isEstablished = true
      listener.established()
    } catch (error) {
      if (!isRefusal(error) || isElsewhere(error)) return
      log.warn({ err: error, pattern: listener.pattern }, 'the server does not let us listen')
      listener.established(error)
    }
  }

  /** Peers that list an exchange's bindings see who listens; nobody needs them to be reached. */
  const declare = async (listener: Listener): Promise<void> => {
    if (client.status !== 'ready') return
    await client.sadd(...binding(listener)).catch((error: unknown) => {
      log.debug({ err: error, queue: listener.queue }, 'could not write the binding')
    })
  }

  const lose = (): void => {
    if (isLost || ![...listeners].some(({ isEstablished }) => isEstablished)) return
    isLost = true
    for (const watcher of watchers) watcher.onLost()
  }

  const resume = async (to: Redis): Promise<void> => {
    await Promise.all([...listeners].map((listener) => subscribe(to, listener)))
    if (!isLost || to.status !== 'ready') return
    isLost = false
    for (const watcher of watchers) watcher.onBack()
  }

  const open = (): Redis => {
    const { client: opened } = options.subscriber()
    opened.on('pmessage', (pattern: string, _channel: string, envelope: string) => {
      for (const listener of listeners) if (listener.pattern === pattern) listener.onMessage(envelope)
    })
    opened.on('ready', () => void resume(opened))
    opened.on('close', lose)
    client.on('ready', () => {
      for (const listener of listeners) void declare(listener)
    })
    return opened
  }

  return {
    async publish({ exchange, routingKey, envelope }) {
      try {
        const reached = await client.publish(keys.channel(exchange, routingKey), envelope)
        // On a cluster, of those that are connected to the same node.
        return options.isCluster ? undefined : reached
      } catch (error) {
        if (isRefusal(error)) {
          throw new PublishError('PUBLISH_REFUSED', error.message, { mayHaveBeenSent: false, cause: error })
        }
        const text = `no connection to the broker while publishing on ${exchange}`
        throw new PublishError('PUBLISH_INTERRUPTED', text, { mayHaveBeenSent: true, cause: error })
      }
    },

    listen(listenOptions) {
      const to = (subscriber ??= open())
      let settle: (error?: Error) => void = () => undefined
      const established = new Promise<void>((resolve, reject) => {
        settle = (error) => (error === undefined ? resolve() : reject(error))
      })
      // Whoever does not wait for it has been told by the log.
      established.catch(() => undefined)
      const { exchange, routingKey } = listenOptions
      const channel = escapeGlob(keys.channel(exchange, ''))
      const pattern = routingKey === '' ? channel : `${channel}/${asGlob(routingKey)}`
      const listener: Listener = { ...listenOptions, pattern, established: settle, isEstablished: false }
      listeners.add(listener)
      void declare(listener)
      void subscribe(to, listener)
      return {
        established,
        async stop() {
          if (!listeners.delete(listener)) return
          listener.established()
          const isAlone = ![...listeners].some((each) => each.pattern === pattern)
          await Promise.allSettled([
            isAlone && to.status === 'ready' ? to.punsubscribe(pattern) : undefined,
            client.status === 'ready' ? client.srem(...binding(listener)) : undefined,
          ])
        },
      }
    },

    watch(watcher) {
      watchers.add(watcher)
      return { stop: () => void watchers.delete(watcher) }
    },
  }
}

function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^]/g, '\\$&')
}
