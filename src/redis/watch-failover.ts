import { Redis } from 'ioredis'
import { fullJitterMs } from '../backoff.js'
import { connectorFor, targetOf, type Locator } from './connector.js'
import { shuffled } from './locators.js'
import { nameOf, type Target } from './target.js'

const SWITCHED = '+switch-master'
/** Not all clients of a fleet in the moment of the message. */
const SPREAD = { firstMs: 300, longestMs: 300 }
const BACKOFF = { firstMs: 200, longestMs: 2000 }

/** Sentinels that announce a failover. */
export interface Sentinels {
  readonly targets: readonly Target[]
  /** Tells them from others, and those who log in from those who do not. */
  readonly identity: string
  readonly timeoutMs: number
}

/** Listens to sentinels on behalf of all connections that it is handed to, over one connection for each set of them. */
export interface FailoverNews {
  /** Call `listener` when there may have been a failover, until `signal` aborts. */
  listen(sentinels: Sentinels, listener: () => void, signal: AbortSignal): void
}

interface Subscription {
  readonly listeners: Set<() => void>
  close(): void
}

/** Connects when somebody listens, and closes when nobody does any more. */
export function createFailoverNews(): FailoverNews {
  const subscriptions = new Map<string, Subscription>()
  return {
    listen(sentinels, listener, signal) {
      if (signal.aborted) return
      const { identity } = sentinels
      const subscription = subscriptions.get(identity) ?? subscribe(sentinels)
      subscriptions.set(identity, subscription)
      subscription.listeners.add(listener)
      signal.addEventListener('abort', () => {
        subscription.listeners.delete(listener)
        if (subscription.listeners.size > 0) return
        subscription.close()
        if (subscriptions.get(identity) === subscription) subscriptions.delete(identity)
      })
    },
  }
}

function subscribe({ targets, timeoutMs }: Sentinels): Subscription {
  const listeners = new Set<() => void>()
  const watched: Locator = {
    wantsPrimary: false,
    leavesOn: /^$/,
    locate: () => Promise.resolve(shuffled(targets)),
    avoid: () => undefined,
  }
  const watcher = new Redis({
    Connector: connectorFor(
      () => watched,
      timeoutMs,
      () => undefined,
    ),
    connectionName: `lovage:failover:${process.pid}`,
    protocol: 2,
    keepAlive: 10_000,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    disableClientInfo: true,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => fullJitterMs(attempt, BACKOFF),
  })
  const tell = (): void => {
    for (const listener of [...listeners]) listener()
  }
  // The clients' own attempts to connect say what is wrong with the sentinels.
  watcher.on('error', () => undefined)
  watcher.on('ready', () => {
    watcher.subscribe(SWITCHED).then(tell, () => undefined)
  })
  watcher.on('message', tell)
  return { listeners, close: () => watcher.disconnect() }
}

export interface FailoverWatchOptions {
  readonly sentinels: Sentinels
  readonly news: FailoverNews
  /** Of the client's own connection. */
  readonly locator: Locator
  readonly signal: AbortSignal
}

/**
 * Have a client leave a primary as soon as the sentinels name another. An old primary that lives takes part until they
 * tell it that it is a replica, for some ten seconds: what is written to it is lost, and what is published on the new
 * one is not heard.
 */
export function watchFailover(client: Redis, options: FailoverWatchOptions): void {
  const { sentinels, news, locator, signal } = options
  let timer: NodeJS.Timeout | undefined
  const leaveOldPrimary = async (): Promise<void> => {
    const [found] = await locator.locate(signal)
    const target = client.status === 'ready' ? targetOf(client.stream) : undefined
    if (found !== undefined && target !== undefined && nameOf(found) !== nameOf(target))
      client.disconnect(true)
  }
  const look = (): void => {
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        // Where no sentinel can be asked, there is the next message, and what the old primary itself says.
        leaveOldPrimary().catch(() => undefined)
      },
      fullJitterMs(1, SPREAD),
    )
  }
  news.listen(sentinels, look, signal)
  signal.addEventListener('abort', () => clearTimeout(timer))
}
