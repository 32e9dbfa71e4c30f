import { loadScript } from '../redis/script.js'
import type { RedisClient } from '../redis/connect.js'

const script = loadScript(new URL('./lua/renew.lua', import.meta.url))

/** A consumer's lease, and where it stands. */
export interface Lease {
  readonly consumerId: string
  readonly leaseMs: number
  /** Keys: of all leases, of what the consumer holds and was handed, and of when each message was claimed. */
  readonly leases: string
  readonly held: string
  readonly handed: string
  readonly unackedIndex: string
}

export interface Renewal {
  /** How many messages the server says the consumer holds. */
  readonly heldCount: number
  /** How many it was handed while it waited, and has not recorded as unacked. */
  readonly handedCount: number
  readonly wasOver: boolean
  /** Consumers whose lease is over. */
  readonly expired: readonly string[]
}

/** Prolong a lease, and refresh the scores of all that its consumer holds. */
export async function renewLease(client: RedisClient, lease: Lease): Promise<Renewal> {
  const { consumerId, leaseMs, leases, held, handed, unackedIndex } = lease
  const renewKeys = [leases, held, unackedIndex, handed]
  const reply = await script.run(client, renewKeys, [consumerId, leaseMs / 1000])
  const [heldCount, handedCount, wasOver, expired] = reply as [number, number, 0 | 1, string[]]
  return { heldCount, handedCount, wasOver: wasOver === 1, expired }
}
