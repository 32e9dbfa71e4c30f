import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { fullJitterMs } from '../backoff.js'
import { silentLog, type Log } from '../log.js'
import { allowNoInfo } from './allow-no-info.js'
import { connectorFor, targetOf } from './connector.js'
import { RedisUnavailableError } from './errors.js'
import { NO_PRIMARY } from './locators.js'
import { keepLoggedIn } from './renew-login.js'
import { routeTo, type RedisConnectionOptions, type Route } from './route.js'
import { nameOf } from './target.js'
import { newOutlook, noteFault, outlookOf, watchOutages, whyAway } from './outlook.js'
import { parseRedisUrl } from './url.js'
import { createFailoverNews, watchFailover } from './watch-failover.js'

export type { RedisConnectionOptions } from './route.js'

/**
 * A connection that opens itself again for ever.
 *
 * A command is sent once: where the connection is not ready it is rejected at once, and where the connection
 * breaks before the reply it is rejected, too, and may have been executed. Subscriptions end with their
 * connection; who made them makes them again on `ready`.
 */
export type RedisClient = Redis | Cluster

export interface ReadyOptions {
  /** @default 5000 */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Between attempts to connect; short enough that work goes on within a second of Redis being back. */
const BACKOFF = { firstMs: 100, longestMs: 800 }
const KEEP_ALIVE_MS = 10_000
const CLOSE_WITHIN_MS = 1000

/**
 * Begin to connect, and go on with it until {@link closeRedis}. Returns at once; see {@link ready}.
 *
 * On a cluster it is a client of all nodes, which keeps commands until it is ready: who does not want to wait for that
 * asks {@link ready} first.
 *
 * @param purpose - A word for the connection's name on the server: `lovage:<purpose>:<pid>`.
 * @param log - Gets one warning for each outage, and one line when it is over.
 * @throws InvalidRedisUrlError for the URL, InvalidRedisOptionsError for a TLS file that cannot be read.
 */
export function openRedis(
  options: RedisConnectionOptions,
  purpose: string,
  log: Log = silentLog,
): RedisClient {
  const route = routeTo(options)
  const { seeds, locatorOfNode } = route
  if (seeds === undefined || locatorOfNode === undefined) return openSingle(options, purpose, '', log)
  const outlook = newOutlook(options.url)
  const ownLog = log.child({ redis: outlook.url, connection: purpose })
  const client = new Cluster([...seeds], {
    redisOptions: {
      ...commonOptions(route, purpose),
      Connector: connectorFor(locatorOfNode, route.connectTimeoutMs, noteFault(outlook)),
    },
    // Nodes are connected to when they are first needed, and what comes meanwhile has to wait for them.
    enableOfflineQueue: true,
    clusterRetryStrategy: pauseMs,
    // A command of a node that went away may have been executed; see above.
    retryDelayOnFailover: 0,
    // Certificates name hosts, so hosts must not be replaced by their addresses.
    dnsLookup: keepName,
  })
  const { credentials } = options
  client.on('+node', (node: Redis) => {
    allowNoInfo(node)
    if (credentials !== undefined) keepLoggedIn(node, credentials, ownLog, () => undefined)
  })
  watchOutages(client, outlook, ownLog)
  return client
}

/**
 * The same with one connection, which on a cluster leads to the node that has the slot of `key`, and goes after the
 * slot when that moves. It is ready when that very node is, where a client of the whole cluster does not tell.
 */
export function openSingle(
  options: RedisConnectionOptions,
  purpose: string,
  key: string,
  log: Log = silentLog,
): Redis {
  const route = routeTo(options)
  const locator = route.locatorOfKey(key)
  const outlook = newOutlook(options.url)
  const ownLog = log.child({ redis: outlook.url, connection: purpose })
  const client = new Redis({
    ...commonOptions(route, purpose),
    Connector: connectorFor(() => locator, route.connectTimeoutMs, noteFault(outlook)),
    reconnectOnError(error) {
      if (!locator.leavesOn.test(error.message)) return false
      const target = targetOf(client.stream)
      if (target !== undefined) locator.avoid(target)
      return true
    },
  })
  allowNoInfo(client)
  if (options.credentials !== undefined) {
    keepLoggedIn(client, options.credentials, ownLog, () => {
      outlook.isReopening = true
    })
  }
  watchOutages(client, outlook, ownLog)
  const { sentinels } = route
  if (sentinels !== undefined) {
    const { signal } = outlook.closed
    watchFailover(client, { sentinels, news: options.failoverNews ?? createFailoverNews(), locator, signal })
  }
  return client
}

/**
 * Wait until commands can be sent.
 *
 * @throws RedisUnavailableError when that takes longer than `timeoutMs`, or the client was closed; the signal's
 *   reason when it aborts. The client goes on connecting.
 */
export async function ready(client: RedisClient, options: ReadyOptions = {}): Promise<void> {
  const { timeoutMs = 5000, signal } = options
  signal?.throwIfAborted()
  if (client.status === 'ready') return
  const outlook = outlookOf(client)
  const closed = outlook?.closed.signal
  const url = outlook?.url ?? 'Redis'
  if (closed?.aborted) throw new RedisUnavailableError(`the connection to ${url} was closed`)

  await new Promise<void>((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      client.off('ready', onReady)
      closed?.removeEventListener('abort', onClosed)
      signal?.removeEventListener('abort', onAbort)
      act()
    }
    const onReady = (): void => settle(resolve)
    const onClosed = (): void =>
      settle(() => reject(new RedisUnavailableError(`the connection to ${url} was closed`)))
    const onAbort = (): void => settle(() => reject(signal?.reason as Error))
    const timer = setTimeout(() => {
      const text = `${url} was not ready within ${timeoutMs} ms: ${whyAway(client)}`
      settle(() => reject(new RedisUnavailableError(text, { cause: outlook?.lastError })))
    }, timeoutMs)
    client.on('ready', onReady)
    closed?.addEventListener('abort', onClosed)
    signal?.addEventListener('abort', onAbort)
  })
}

/**
 * How long the server takes to answer, in milliseconds, once there is a connection.
 *
 * @throws RedisUnavailableError when there is none within `timeoutMs`.
 */
export async function roundTripMs(client: RedisClient, timeoutMs: number): Promise<number> {
  const start = performance.now()
  await ready(client, { timeoutMs })
  await client.ping()
  return performance.now() - start
}

/** Let pending replies come in and say goodbye, for at most a second. Never rejects; may be called again. */
export async function closeRedis(client: RedisClient): Promise<void> {
  outlookOf(client)?.closed.abort()
  if (client.status === 'end') return
  if (client.status === 'ready') {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_WITHIN_MS)
    })
    await Promise.race([client.quit().catch(() => undefined), patience])
    clearTimeout(timer)
  }
  client.disconnect()
}

/** Whether the URL leads to a cluster. */
export function isCluster({ url }: RedisConnectionOptions): boolean {
  return parseRedisUrl(url).kind === 'cluster'
}

/**
 * Have the commands that `send` issues leave in one write, without the cost of a pipeline: each settles by itself, as if
 * it had been sent alone.
 */
export function inOneWrite<T>({ stream }: Redis, send: () => T): T {
  stream.cork()
  try {
    return send()
  } finally {
    stream.uncork()
  }
}

/** Number of the database that the URL leads to; with alternatives, that of the first. */
export function databaseOf({ url }: RedisConnectionOptions): number {
  const endpoint = parseRedisUrl(url)
  if (endpoint.kind === 'memory') return 0
  return endpoint.kind === 'alternatives' ? (endpoint.endpoints[0]?.db ?? 0) : endpoint.db
}

/** Whether two connections lead to the same server at the moment. */
export function isSameServer(one: Redis, other: Redis): boolean {
  const [target, otherTarget] = [targetOf(one.stream), targetOf(other.stream)]
  return target !== undefined && otherTarget !== undefined && nameOf(target) === nameOf(otherTarget)
}

function commonOptions(route: Route, purpose: string) {
  return {
    connectionName: `lovage:${purpose}:${process.pid}`,
    // Its name says it; more that an ACL would have to allow is of no use.
    disableClientInfo: true,
    socketTimeout: route.socketTimeoutMs,
    commandTimeout: route.commandTimeoutMs,
    // A connection to which the server redirects invalidation messages has to speak RESP2 and subscribe.
    protocol: 2,
    keepAlive: KEEP_ALIVE_MS,
    noDelay: true,
    // Nothing is queued and nothing is sent twice: whoever issued a command decides whether to repeat it.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: pauseMs,
    reconnectOnError: ({ message }) => NO_PRIMARY.test(message),
    maxLoadingRetryTime: 200,
  } satisfies RedisOptions
}

/** So that a fleet does not come back in one moment. */
function pauseMs(attempt: number): number {
  return fullJitterMs(attempt, BACKOFF)
}

function keepName(host: string, callback: (error: null, address: string) => void): void {
  callback(null, host)
}
