import { fetchCredentials, type CredentialsProvider, type RedisCredentials } from './credentials.js'
import { InvalidRedisOptionsError } from './errors.js'
import { fixedLocator, sentinelLocator, slotLocator } from './locators.js'
import { tlsFor } from './tls.js'
import type { HostAndPort, SocketEndpoint, TcpEndpoint, TlsOptions } from './endpoint.js'
import { parseRedisUrl } from './url.js'
import type { Locator } from './connector.js'
import type { FailoverNews, Sentinels } from './watch-failover.js'
import type { Target } from './target.js'

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
  /** Through which connections by sentinels are told of failovers; several may share it. @default one of its own */
  readonly failoverNews?: FailoverNews | undefined
  /** Asked for each connection, and counts instead of the URL's password; a user that it does not name is the URL's. */
  readonly credentials?: CredentialsProvider | undefined
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

/** What the options say about where to connect to and how. */
export interface Route {
  readonly connectTimeoutMs: number
  readonly socketTimeoutMs: number
  readonly commandTimeoutMs: number | undefined
  /** Of a cluster only. */
  readonly seeds?: readonly HostAndPort[]
  readonly locatorOfNode?: (address: HostAndPort) => Locator
  /** Those who know of a failover before the servers do. */
  readonly sentinels?: Sentinels
  /** @param key - On a cluster: the server that has its slot. */
  readonly locatorOfKey: (key: string) => Locator
}

const CONNECT_TIMEOUT_MS = 5000
const SOCKET_TIMEOUT_MS = 10_000

/** @throws InvalidRedisUrlError for the URL, InvalidRedisOptionsError for what does not go with it. */
export function routeTo(options: RedisConnectionOptions): Route {
  const endpoint = parseRedisUrl(options.url)
  if (endpoint.kind === 'memory') {
    throw new InvalidRedisOptionsError('memory:// is in this process; expected the URL of a Redis')
  }
  const [first] = endpoint.kind === 'alternatives' ? endpoint.endpoints : [endpoint]
  const timeouts = {
    connectTimeoutMs: options.connectTimeoutMs ?? first?.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    socketTimeoutMs: options.socketTimeoutMs ?? first?.socketTimeoutMs ?? SOCKET_TIMEOUT_MS,
    commandTimeoutMs: options.commandTimeoutMs,
  }
  switch (endpoint.kind) {
    case 'tcp':
    case 'socket': {
      const target = singleTarget(endpoint, options)
      return { ...timeouts, locatorOfKey: () => fixedLocator([target]) }
    }
    case 'alternatives': {
      const targets = endpoint.endpoints.map((each) => singleTarget(each, options))
      return { ...timeouts, locatorOfKey: () => fixedLocator(targets) }
    }
    case 'sentinel': {
      const { masterName, sentinelUsername: username, sentinelPassword } = options
      if (masterName === undefined) {
        throw new InvalidRedisOptionsError(
          'sentinel:// needs the name of the primary (masterName, master_name)',
        )
      }
      const tls = tlsFor(undefined, options.tls)
      const login = sentinelPassword === undefined ? undefined : { username, password: sentinelPassword }
      const targets = endpoint.sentinels.map((address): Target => {
        return { address, tls, db: 0, credentials: () => known(login) }
      })
      const primary = { tls, db: endpoint.db, credentials: credentialsFor(endpoint, options) }
      const timeoutMs = timeouts.connectTimeoutMs
      return {
        ...timeouts,
        sentinels: { targets, identity: JSON.stringify([endpoint.sentinels, login, options.tls]), timeoutMs },
        locatorOfKey: () => sentinelLocator({ sentinels: targets, masterName, primary, timeoutMs }),
      }
    }
    case 'cluster': {
      const { nodes: seeds } = endpoint
      const tls = tlsFor(endpoint.tls, options.tls)
      const node = { tls, db: 0, credentials: credentialsFor(endpoint, options) }
      const timeoutMs = timeouts.connectTimeoutMs
      return {
        ...timeouts,
        seeds,
        locatorOfNode: ({ host, port }) => fixedLocator([{ ...node, address: { host, port } }]),
        locatorOfKey: (key) => slotLocator({ nodes: seeds, key, node, timeoutMs }),
      }
    }
  }
}

function singleTarget(endpoint: TcpEndpoint | SocketEndpoint, options: RedisConnectionOptions): Target {
  const login = { db: endpoint.db, credentials: credentialsFor(endpoint, options) }
  if (endpoint.kind === 'socket') return { ...login, address: { path: endpoint.path }, tls: undefined }
  const { host, port } = endpoint
  return { ...login, address: { host, port }, tls: tlsFor(endpoint.tls, options.tls) }
}

function credentialsFor(
  { username, password }: { readonly username: string | undefined; readonly password: string | undefined },
  { credentials: provider }: RedisConnectionOptions,
): Target['credentials'] {
  if (provider !== undefined) {
    return async () => {
      const provided = await fetchCredentials(provider)
      return { ...provided, username: provided.username ?? username }
    }
  }
  const login =
    password === undefined && username === undefined ? undefined : { username, password: password ?? '' }
  return () => known(login)
}

function known(login: RedisCredentials | undefined): Promise<RedisCredentials> | undefined {
  return login && Promise.resolve(login)
}
