import type { ConnectionOptions } from 'node:tls'
import type { HostAndPort } from './endpoint.js'
import type { RedisCredentials } from './credentials.js'

/** One server, and what it takes to get in. */
export interface Target {
  readonly address: HostAndPort | { readonly path: string }
  /** Undefined: not encrypted. */
  readonly tls: ConnectionOptions | undefined
  /** Asked anew for each connection; undefined where nobody has to log in. */
  readonly credentials: () => Promise<RedisCredentials> | undefined
  readonly db: number
}

export function nameOf({ address }: Pick<Target, 'address'>): string {
  if ('path' in address) return address.path
  const { host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
