import { parseRedisUrl } from '../redis/url.js'
import { redactUrls } from '../log.js'
import type { RedisEndpoint } from '../redis/endpoint.js'
import type { Settings } from './settings.js'

/** What is told of a broker's connection, by kombu's names (wire protocol, section 15.5: `stats`). */
export type BrokerDescription = Readonly<Record<string, unknown>>

/** Without any password. */
export function describeBroker({
  broker,
  brokerTransportOptions,
  brokerConnection,
}: Settings): BrokerDescription {
  const { host, port, username, db, isTls, others } = placeOf(parseRedisUrl(broker))
  const { globalKeyprefix, visibilityTimeout } = brokerTransportOptions
  return {
    hostname: host,
    userid: username,
    virtual_host: String(db),
    port,
    insist: false,
    ssl: isTls,
    transport: broker.slice(0, broker.indexOf(':')),
    connect_timeout: (brokerConnection.connectTimeoutMs ?? 5000) / 1000,
    transport_options: {
      visibility_timeout: visibilityTimeout,
      ...(globalKeyprefix !== '' && { global_keyprefix: globalKeyprefix }),
    },
    login_method: null,
    uri_prefix: null,
    heartbeat: 0,
    failover_strategy: 'round-robin',
    alternates: others.map((url) => redactUrls(url)),
    credential_provider: null,
  }
}

interface Place {
  readonly host: string | null
  readonly port: number | null
  readonly username: string | null
  readonly db: number
  readonly isTls: boolean
  readonly others: readonly string[]
}

const NOWHERE: Place = { host: null, port: null, username: null, db: 0, isTls: false, others: [] }

function placeOf(endpoint: RedisEndpoint): Place {
  switch (endpoint.kind) {
    case 'memory':
      return NOWHERE
    case 'alternatives': {
      const [first] = endpoint.endpoints
      return first === undefined ? NOWHERE : placeOf(first)
    }
    case 'sentinel':
    case 'cluster': {
      const [first, ...others] = endpoint.kind === 'cluster' ? endpoint.nodes : endpoint.sentinels
      return {
        host: first?.host ?? null,
        port: first?.port ?? null,
        username: endpoint.username ?? null,
        db: endpoint.db,
        isTls: endpoint.kind === 'cluster' && endpoint.tls !== undefined,
        others: others.map(({ host, port }) => `${host}:${port}`),
      }
    }
    case 'socket':
      return { ...NOWHERE, host: endpoint.path, username: endpoint.username ?? null, db: endpoint.db }
    case 'tcp': {
      const { host, port, username, db, tls } = endpoint
      return { host, port, username: username ?? null, db, isTls: tls !== undefined, others: [] }
    }
  }
}
