import type { RedisConnectionOptions } from '../redis/connect.js'
import type { Settings } from '../app/settings.js'
import type { Use } from './subject.js'

export interface UsedConnection {
  readonly connection: RedisConnectionOptions
  readonly uses: readonly Use[]
}

/** Broker and result backend, once where both are the same. */
export function usedConnections({ brokerConnection, backendConnection }: Settings): UsedConnection[] {
  if (backendConnection === undefined) return [{ connection: brokerConnection, uses: ['broker'] }]
  if (areSame(brokerConnection, backendConnection)) {
    return [{ connection: brokerConnection, uses: ['broker', 'results'] }]
  }
  return [
    { connection: brokerConnection, uses: ['broker'] },
    { connection: backendConnection, uses: ['results'] },
  ]
}

function areSame(one: RedisConnectionOptions, other: RedisConnectionOptions): boolean {
  return one.credentials === other.credentials && JSON.stringify(one) === JSON.stringify(other)
}
