import { loadScript } from '../redis/script.js'
import type { RedisClient } from '../redis/connect.js'

const script = loadScript(new URL('./lua/renew.lua', import.meta.url))

/** A consumer's lease, and where it stands. */
export interface Lease {
  readonly consumerId: string
  readonly leaseMs: number
  /** Keys: of all leases, of what the consumer holds, and of when each message was claimed. */
  readonly leases: string
  readonly held: string
  readonly unackedIndex: string
}

export interface Renewal {
  /** How many messages the server says the consumer holds. */
  readonly heldCount: number
  readonly wasOver: boolean
  /** Consumers whose lease is over. */
  readonly expired: readonly string[]
}

/** Prolong a lease, and refresh the scores of all that its consumer holds. */
export async function renewLease(client: RedisClient, lease: Lease): Promise<Renewal> {
  const { consumerId, leaseMs, leases, held, unackedIndex } = lease
  const reply = await script.run(client, [leases, held, unackedIndex], [consumerId, leaseMs / 1000])
  const [heldCount, wasOver, expired] = reply as [number, 0 | 1, string[]]
  return { heldCount, wasOver: wasOver === 1, expired }
}
