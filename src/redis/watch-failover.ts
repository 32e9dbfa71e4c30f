import { Redis } from 'ioredis'
import { fullJitterMs } from '../backoff.js'
import { connectorFor, targetOf, type Locator } from './connector.js'
import { nameOf, type Target } from './target.js'

const SWITCHED = '+switch-master'
/** Not all clients of a fleet in the moment of the message. */
const SPREAD = { firstMs: 300, longestMs: 300 }
const BACKOFF = { firstMs: 200, longestMs: 2000 }

export interface FailoverWatchOptions {
  readonly sentinels: readonly Target[]
  /** Of the client's own connection. */
  readonly locator: Locator
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Have a client leave a primary as soon as the sentinels name another. An old primary that lives takes part until they
 * tell it that it is a replica, for some ten seconds: what is written to it is lost, and what is published on the new
 * one is not heard.
 */
export function watchFailover(client: Redis, options: FailoverWatchOptions): void {
  const { sentinels, locator, timeoutMs, signal } = options
  const watched: Locator = {
    wantsPrimary: false,
    leavesOn: /^$/,
    locate: () => Promise.resolve(sentinels),
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
  // The client's own attempts to connect say what is wrong with the sentinels.
  watcher.on('error', () => undefined)
  watcher.on('ready', () => {
    watcher.subscribe(SWITCHED).then(look, () => undefined)
  })
  watcher.on('message', look)
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    watcher.disconnect()
  })
}
