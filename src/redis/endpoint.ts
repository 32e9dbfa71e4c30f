/** How the server's certificate is checked and which one is shown to it; names and meaning are Celery's. */
export interface TlsOptions {
  /** `optional` is as strict as `required` for a client. @default 'required' */
  readonly sslCertReqs?: 'required' | 'optional' | 'none' | undefined
  /** File of the authorities to trust, PEM. @default those that Node.js trusts */
  readonly sslCaCerts?: string | undefined
  /** File of the client's certificate, PEM. */
  readonly sslCertfile?: string | undefined
  /** File of the client's private key, PEM. @default `sslCertfile`, which may hold both */
  readonly sslKeyfile?: string | undefined
  /** Whether the certificate has to be for the host of the URL. @default true */
  readonly sslCheckHostname?: boolean | undefined
}

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

export interface Credentials {
  readonly username: string | undefined
  readonly password: string | undefined
}

/** What each endpoint with a server has. */
export interface Common extends Credentials {
  readonly db: number
  /** Milliseconds; `socket_timeout` of the query, which is in seconds. */
  readonly socketTimeoutMs: number | undefined
  /** Milliseconds; `socket_connect_timeout` of the query. */
  readonly connectTimeoutMs: number | undefined
}

export interface TcpEndpoint extends Common, HostAndPort {
  readonly kind: 'tcp'
  /** Undefined: not encrypted. */
  readonly tls: TlsOptions | undefined
}

export interface SocketEndpoint extends Common {
  readonly kind: 'socket'
  readonly path: string
}

export interface SentinelEndpoint extends Common {
  readonly kind: 'sentinel'
  readonly sentinels: readonly HostAndPort[]
}

export interface ClusterEndpoint extends Common {
  readonly kind: 'cluster'
  /** Some of its nodes; they name the others. */
  readonly nodes: readonly HostAndPort[]
  readonly tls: TlsOptions | undefined
}

/** Several servers of which one is used: the first in this order that can be. */
export interface AlternativesEndpoint {
  readonly kind: 'alternatives'
  readonly endpoints: readonly (TcpEndpoint | SocketEndpoint)[]
}

export interface MemoryEndpoint {
  readonly kind: 'memory'
}

/** Where a URL leads, one form for each kind of its schemes. */
export type RedisEndpoint =
  TcpEndpoint | SocketEndpoint | AlternativesEndpoint | SentinelEndpoint | ClusterEndpoint | MemoryEndpoint
