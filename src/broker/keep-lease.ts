import { closeRedis, openSingle, ready, type RedisConnectionOptions } from '../redis/connect.js'
import { renewLease, type Lease } from './renew-lease.js'

/** What the thread of a {@link LeaseGuard} needs; it is copied on its way there. */
export interface GuardedLease {
  readonly lease: Lease
  readonly connection: RedisConnectionOptions
  readonly everyMs: number
  /** Whoever stands still for longer is as good as dead. */
  readonly longestMs: number
}

export interface LeaseKeeper {
  /** The event loop stands still: renew what it cannot, if it is time. Never rejects. */
  keep(): Promise<void>
  /** It goes on. */
  rest(): void
}

/** Renews a lease in place of an event loop that stands still, over a connection that exists meanwhile only. */
export function createLeaseKeeper({ lease, connection, everyMs, longestMs }: GuardedLease): LeaseKeeper {
  let client: ReturnType<typeof openSingle> | undefined
  let standsSince: number | undefined
  let renewedAt = -Infinity

  const renew = async (): Promise<void> => {
    client ??= openSingle(connection, 'lease', lease.leases)
    await ready(client)
    await renewLease(client, lease)
    renewedAt = performance.now()
  }

  return {
    async keep() {
      const now = performance.now()
      standsSince ??= now
      if (now - standsSince > longestMs || now - renewedAt < everyMs) return
      // The next look tries again.
      await renew().catch(() => undefined)
    },
    rest() {
      standsSince = undefined
      renewedAt = -Infinity
      if (client !== undefined) void closeRedis(client)
      client = undefined
    },
  }
}
