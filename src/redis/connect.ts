import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { silentLog, type Log } from '../log.js'
import { InvalidRedisOptionsError, RedisUnavailableError } from './errors.js'
import { isReply } from './script.js'
import { parseRedisUrl, redactUrl, type TlsOptions } from './url.js'
import type { ConnectionOptions } from 'node:tls'

/**
 * A connection that opens itself again for ever.
 *
 * A command is sent once: where the connection is not ready it is rejected at once, and where the connection
 * breaks before the reply it is rejected, too, and may have been executed. Subscriptions end with their
 * connection; who made them makes them again on `ready`.
 */
export type RedisClient = Redis | Cluster

export interface RedisConnectionOptions {
  /** See `parseRedisUrl`. */
  readonly url: string
  /** Encrypts also where the URL's scheme does not say so; what the URL's query says comes first. */
  readonly tls?: TlsOptions | undefined
  /** The name under which the sentinels know the primary. Celery's `master_name`. */
  readonly masterName?: string | undefined
  /** For the sentinels themselves. Celery's `sentinel_kwargs`. */
  readonly sentinelUsername?: string | undefined
  readonly sentinelPassword?: string | undefined
  /** Milliseconds for one attempt to connect. @default 5000 */
  readonly connectTimeoutMs?: number | undefined
  /**
   * Milliseconds for which the server may say nothing while replies are awaited. The connection is then given up,
   * as a host that vanished never closes it. @default 10000
   */
  readonly socketTimeoutMs?: number | undefined
  /** Milliseconds after which one command is rejected while the connection stays. @default none */
  readonly commandTimeoutMs?: number | undefined
}

export interface ReadyOptions {
  /** @default 5000 */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What is known of a client beside what ioredis knows. */
interface Outlook {
  /** Without its password. */
  readonly url: string
  lastError: Error | undefined
  /** Aborts when the client is closed on purpose. */
  readonly closed: AbortController
}

const outlooks = new WeakMap<RedisClient, Outlook>()

const FIRST_PAUSE_MS = 50
/** Short enough that work goes on within a second of Redis being back. */
const LONGEST_PAUSE_MS = 800
const KEEP_ALIVE_MS = 10_000
const CLOSE_WITHIN_MS = 1000

/**
 * Begin to connect, and go on with it until {@link closeRedis}. Returns at once; see {@link ready}.
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
  const client = createClient(options, purpose)
  const outlook: Outlook = {
    url: redactUrl(options.url),
    lastError: undefined,
    closed: new AbortController(),
  }
  if (client instanceof Redis) allowNoInfo(client)
  outlooks.set(client, outlook)
  watchOutages(client, outlook, log.child({ redis: outlook.url, connection: purpose }))
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
  const outlook = outlooks.get(client)
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
      const cause = outlook?.lastError
      const why = cause === undefined ? '' : `: ${cause.message}`
      settle(() =>
        reject(new RedisUnavailableError(`${url} was not ready within ${timeoutMs} ms${why}`, { cause })),
      )
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
  outlooks.get(client)?.closed.abort()
  if (client.status === 'end') return
  expectMoreErrors(client)
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

function createClient(options: RedisConnectionOptions, purpose: string): RedisClient {
  const endpoint = parseRedisUrl(options.url)
  if (endpoint.kind === 'memory') {
    throw new InvalidRedisOptionsError('memory:// is in this process; expected the URL of a Redis')
  }
  const common = {
    connectionName: `lovage:${purpose}:${process.pid}`,
    connectTimeout: options.connectTimeoutMs ?? endpoint.connectTimeoutMs ?? 5000,
    socketTimeout: options.socketTimeoutMs ?? endpoint.socketTimeoutMs ?? 10_000,
    commandTimeout: options.commandTimeoutMs,
    // A connection to which the server redirects invalidation messages has to speak RESP2 and subscribe.
    protocol: 2,
    username: endpoint.username,
    password: endpoint.password,
    db: endpoint.db,
    keepAlive: KEEP_ALIVE_MS,
    noDelay: true,
    // Nothing is queued and nothing is sent twice: whoever issued a command decides whether to repeat it.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: pauseMs,
    reconnectOnError: isOfAnotherPrimary,
    maxLoadingRetryTime: 200,
  } satisfies RedisOptions
  switch (endpoint.kind) {
    case 'tcp':
      return new Redis({
        ...common,
        host: endpoint.host,
        port: endpoint.port,
        ...tlsFor(endpoint.tls, options.tls, endpoint.host),
      })
    case 'socket':
      return new Redis({ ...common, path: endpoint.path })
    case 'sentinel': {
      if (options.masterName === undefined) {
        throw new InvalidRedisOptionsError(
          'sentinel:// needs the name of the primary (masterName, master_name)',
        )
      }
      const { tls } = tlsFor(undefined, options.tls)
      return new Redis({
        ...common,
        sentinels: [...endpoint.sentinels],
        name: options.masterName,
        sentinelUsername: options.sentinelUsername,
        sentinelPassword: options.sentinelPassword,
        sentinelRetryStrategy: pauseMs,
        sentinelCommandTimeout: common.connectTimeout,
        ...(tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      })
    }
    case 'cluster': {
      const { tls } = tlsFor(endpoint.tls, options.tls)
      return new Cluster([...endpoint.nodes], {
        redisOptions: { ...common, ...(tls === undefined ? {} : { tls }) },
        enableOfflineQueue: false,
        clusterRetryStrategy: pauseMs,
        // A command of a node that went away may have been executed; see above.
        retryDelayOnFailover: 0,
        // Certificates name hosts, so hosts must not be replaced by their addresses.
        ...(tls === undefined ? {} : { dnsLookup: keepName }),
      })
    }
  }
}

/** Exponential, with full jitter, so that a fleet does not come back in one moment. */
function pauseMs(attempt: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10))
  return Math.round(Math.random() * longest)
}

/** Replies of a server that no longer is, or not yet is, what a client has to talk to. */
function isOfAnotherPrimary(error: Error): boolean {
  return /(?:^|-)(?:READONLY|LOADING|MASTERDOWN|UNBLOCKED)\b/.test(error.message)
}

/**
 * ioredis asks INFO whether the data is loaded before it calls a connection ready. Where INFO is renamed it would
 * never be, and where an ACL denies it a warning would be printed for each connection. Without INFO a server that is
 * still loading says so in its first reply, which opens the connection again.
 */
function allowNoInfo(client: Redis): void {
  const ask = client.info.bind(client)
  const answer = async (): Promise<string> => {
    try {
      return await ask()
    } catch (error) {
      if (isReply(error, 'NOPERM') || (isReply(error, 'ERR') && /unknown command/i.test(error.message)))
        return ''
      throw error
    }
  }
  client.info = ((callback: (error: Error | null, text?: string) => void) => {
    const answered = answer()
    answered.then(
      (text) => callback(null, text),
      (error: unknown) => callback(error as Error),
    )
    return answered
  }) as Redis['info']
}

function keepName(host: string, callback: (error: null, address: string) => void): void {
  callback(null, host)
}

function tlsFor(
  fromUrl: TlsOptions | undefined,
  fromOptions: TlsOptions | undefined,
  host?: string,
): { readonly tls?: ConnectionOptions } {
  if (fromUrl === undefined && fromOptions === undefined) return {}
  const said = Object.entries(fromUrl ?? {}).filter(([, value]) => value !== undefined)
  const options: TlsOptions = { ...fromOptions, ...(Object.fromEntries(said) as TlsOptions) }
  const { sslCertReqs = 'required', sslCaCerts, sslCertfile, sslKeyfile, sslCheckHostname = true } = options
  const tls: ConnectionOptions = { rejectUnauthorized: sslCertReqs !== 'none' }
  // Without a name the server cannot choose among its certificates; an address is not a name.
  if (host !== undefined && isIP(host) === 0) tls.servername = host
  if (sslCaCerts !== undefined) tls.ca = readTlsFile('ssl_ca_certs', sslCaCerts)
  if (sslCertfile !== undefined) {
    tls.cert = readTlsFile('ssl_certfile', sslCertfile)
    tls.key = readTlsFile('ssl_keyfile', sslKeyfile ?? sslCertfile)
  }
  if (!sslCheckHostname) tls.checkServerIdentity = () => undefined
  return { tls }
}

function readTlsFile(name: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new InvalidRedisOptionsError(`${name}: cannot read ${file}: ${(cause as Error).message}`, { cause })
  }
}

/**
 * ioredis listens for the first error of a socket only. A TLS socket may have a second one, such as the alert with
 * which the server answers a broken handshake, and without a listener that would end the process.
 */
function expectMoreErrors(client: RedisClient): void {
  if (client instanceof Redis) client.stream?.on('error', () => undefined)
}

function watchOutages(client: RedisClient, outlook: Outlook, log: Log): void {
  let isDown = false
  let isFirstOfAttempt = true
  const goDown = (): void => {
    if (isDown || outlook.closed.signal.aborted) return
    isDown = true
    log.warn({ err: outlook.lastError }, 'no connection to Redis; trying again until there is one')
  }
  client.on('connecting', () => {
    isFirstOfAttempt = true
  })
  client.on('error', (error: ConnectionError) => {
    expectMoreErrors(client)
    const cause = error.lastNodeError ?? error
    const isWrongDatabase = cause.command?.name === 'select'
    // ioredis notes the command that failed with its arguments, which for AUTH is the password.
    delete cause.command
    // Later errors of one attempt are consequences.
    if (isFirstOfAttempt) outlook.lastError = cause
    isFirstOfAttempt = false
    // ioredis would go on in database 0.
    if (isWrongDatabase) client.disconnect(true)
    goDown()
  })
  client.on('close', goDown)
  client.on('ready', () => {
    outlook.lastError = undefined
    if (isDown) log.info({}, 'connected to Redis again')
    isDown = false
  })
}

interface ConnectionError extends Error {
  /** Of a cluster: why the last of its nodes could not be reached. */
  readonly lastNodeError?: ConnectionError
  command?: { readonly name: string }
}
