import { randomUUID } from 'node:crypto'
import { loadScript } from '../redis/script.js'
import { claimMessages } from './claim.js'
import { createLeaseGuard } from './lease-guard.js'
import { renewLease, type Lease } from './renew-lease.js'
import { putBack, type PutBackItem } from './put-back.js'
import { readUnackedRecord } from './unacked.js'
import type { BrokerKeys } from './keys.js'
import type { Log } from '../log.js'
import type { RedisClient, RedisConnectionOptions } from '../redis/connect.js'

/**
 * What a consumer does besides consuming: it shows that it lives, and puts back what the dead have left.
 *
 * Two clocks run side by side (wire protocol, section 7.4). Every consumer of this runtime has a lease, an entry in
 * `lovage.leases`, and a set of the tags it holds; it renews both the lease and the index scores of what it
 * holds. When a lease is over, whoever notices puts the messages of that set back at the front of their queues.
 * A Python worker has no lease: its messages are restored when their score is older than the visibility timeout,
 * as any Python worker would, under the same mutex.
 *
 * A lease that is over says that its worker is dead only where others could renew theirs. After an outage, or when the
 * server's clock was set forward, everybody's lease is over, and whoever renews first would take everything from the
 * living. So a worker that finds its own lease over, or itself late or new, leaves the others a round to renew theirs.
 *
 * Invariant: a message is put back only by the script that, in the same step, finds its holder's claim void and
 * removes it from `unacked`; so no two consumers put back the same one.
 */
export interface Upkeep {
  start(): Promise<void>
  stop(): Promise<void>
}

export interface UpkeepOptions {
  readonly client: RedisClient
  readonly keys: BrokerKeys
  readonly consumerId: string
  readonly prioritySteps: readonly number[]
  readonly visibilityTimeoutMs: number
  readonly leaseMs: number
  readonly queues: readonly string[]
  /** Told after each renewal how many messages the server says this consumer holds, and was handed while it waited. */
  readonly onRenewed: (heldCount: number, handedCount: number) => void
  /** Write the bindings of the queues, which an eviction may have taken. */
  readonly declareQueues: () => Promise<void>
  /** Undefined: nobody renews the lease while a task holds up the event loop. */
  readonly connection?: RedisConnectionOptions | undefined
  readonly log: Log
}

const unlockScript = loadScript(new URL('./lua/unlock.lua', import.meta.url))

/** Celery sweeps about this often. */
const SWEEP_EVERY_MS = 100_000
/** The mutex of the sweep goes by itself after this long, as kombu's. */
const MUTEX_MS = 300_000
const MOST_PER_SWEEP = 1000
/** Soon: after an outage the living have to be quicker than the patience of the others. */
const RETRY_MS = 500

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { client, keys, consumerId, log } = options
  const held = keys.held(consumerId)
  const handed = keys.handed(consumerId)
  const stopping = new AbortController()
  const lease: Lease = {
    consumerId,
    leaseMs: options.leaseMs,
    leases: keys.leases,
    held,
    handed,
    unackedIndex: keys.unackedIndex,
  }
  // Well within both limits, so that one missed round does not cost the lease.
  const everyMs = Math.max(50, Math.min(options.leaseMs, options.visibilityTimeoutMs) / 3)
  const guard =
    options.connection === undefined
      ? undefined
      : createLeaseGuard(
          { lease, connection: options.connection, everyMs, longestMs: options.visibilityTimeoutMs },
          log,
        )
  const mutex = createMutex(client, keys.unackedMutex)
  // By the monotonic clock: that of the day may be set.
  let lastSweepAt = -Infinity
  let renewedAt = -Infinity
  let patientUntil = -Infinity
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  const round = async (): Promise<void> => {
    const { heldCount, handedCount, wasOver, expired } = await renewLease(client, lease)
    options.onRenewed(heldCount, handedCount)
    // That of a sweep which an outage has cut off.
    await mutex.release()
    const isLate = performance.now() - renewedAt > 1.5 * everyMs
    renewedAt = performance.now()
    if (wasOver || isLate) patientUntil = renewedAt + everyMs
    if (renewedAt < patientUntil) return
    for (const id of expired) {
      if (id === consumerId) continue
      const count = await restoreExpired(options, id)
      if (count > 0)
        log.warn({ consumer: id, count }, 'put back the messages of a worker whose lease ran out')
    }
    const sweepEveryMs = Math.min(SWEEP_EVERY_MS, options.visibilityTimeoutMs)
    if (renewedAt - lastSweepAt >= sweepEveryMs) {
      lastSweepAt = renewedAt
      await options.declareQueues()
      const count = await sweepOverdue(options, mutex)
      if (count > 0) log.warn({ count }, 'put back messages that were unacked past the visibility timeout')
    }
  }

  const schedule = (afterMs: number): void => {
    if (stopping.signal.aborted) return
    timer = setTimeout(() => {
      running = round().then(
        () => schedule(everyMs),
        (error: unknown) => {
          log.warn({ err: error, consumer: consumerId }, 'could not renew the lease; trying again')
          schedule(Math.min(everyMs, RETRY_MS))
        },
      )
    }, afterMs)
  }

  const end = async (): Promise<void> => {
    stopping.abort()
    clearTimeout(timer)
    await guard?.stop()
    await running
  }
  const onClosed = (): void => void end()

  return {
    async start() {
      await round()
      schedule(everyMs)
      guard?.start()
      // Whoever closes the broker without a stop holds its messages no longer, and leaves no thread behind.
      client.once('end', onClosed)
    },
    async stop() {
      client.off('end', onClosed)
      await end()
      try {
        // Only an empty-handed consumer leaves without a trace: what it still holds is restored by its lease.
        if ((await client.exists(held, handed)) === 0) await client.zrem(keys.leases, consumerId)
      } catch (error) {
        log.warn({ err: error, consumer: consumerId }, 'could not give up the lease; it runs out by itself')
      }
    },
  }
}

async function restoreExpired(options: UpkeepOptions, deadConsumer: string): Promise<number> {
  const { client, keys, prioritySteps } = options
  await recordHanded(options, deadConsumer)
  const tags = await client.smembers(keys.held(deadConsumer))
  const { items, orphans } = await readRecords(options, tags)
  const claim = { kind: 'expired', consumerId: deadConsumer } as const
  const count = await putBack(client, keys, prioritySteps, claim, items)
  // Tags without a record were acked or restored by others: the script drops them, and with the last the lease.
  if (orphans.length > 0) await putBack(client, keys, prioritySteps, claim, orphans)
  return count
}

/** What a consumer was handed, and could not record itself, becomes part of what it held at the end of its lease. */
async function recordHanded({ client, keys, queues }: UpkeepOptions, deadConsumer: string): Promise<void> {
  const handed = keys.handed(deadConsumer)
  const count = await client.llen(handed)
  if (count === 0) return
  await claimMessages(client, keys, {
    consumerId: deadConsumer,
    leaseMs: 0,
    queues: queues.slice(0, 1),
    lists: [handed],
    withParked: false,
    limit: count,
    lowShare: 0,
    maxBytes: Infinity,
  })
}

/** Whoever has it may sweep; kombu's `Mutex`. */
interface Mutex {
  /** @returns false where somebody else has it. */
  take(): Promise<boolean>
  /** Does nothing where it is not ours, as far as is known. */
  release(): Promise<void>
}

function createMutex(client: RedisClient, key: string): Mutex {
  const token = randomUUID()
  let mayBeOurs = false
  return {
    async take() {
      mayBeOurs = true
      mayBeOurs = (await client.set(key, token, 'PX', MUTEX_MS, 'NX')) === 'OK'
      return mayBeOurs
    },
    async release() {
      if (!mayBeOurs) return
      await unlockScript.run(client, [key], [token])
      mayBeOurs = false
    },
  }
}

async function sweepOverdue(options: UpkeepOptions, mutex: Mutex): Promise<number> {
  const { client, keys, prioritySteps, visibilityTimeoutMs } = options
  if (!(await mutex.take())) return 0
  try {
    const [seconds = '0', micros = '0'] = (await client.time()).map(String)
    const before = (Number(seconds) + Number(micros) / 1e6 - visibilityTimeoutMs / 1000).toFixed(6)
    const tags = await client.zrevrangebyscore(keys.unackedIndex, before, '0', 'LIMIT', 0, MOST_PER_SWEEP)
    const { items } = await readRecords(options, tags)
    return await putBack(client, keys, prioritySteps, { kind: 'overdue', before }, items)
  } finally {
    await mutex.release()
  }
}

async function readRecords(
  { client, keys, log }: UpkeepOptions,
  tags: readonly string[],
): Promise<{ items: PutBackItem[]; orphans: PutBackItem[] }> {
  const items: PutBackItem[] = []
  const orphans: PutBackItem[] = []
  if (tags.length === 0) return { items, orphans }
  const records = await client.hmget(keys.unacked, ...tags)
  tags.forEach((tag, i) => {
    const text = records[i]
    if (text === null || text === undefined) {
      orphans.push({ tag, queue: '', envelope: '' })
      return
    }
    const record = readUnackedRecord(text)
    if (record === undefined)
      log.warn({ deliveryTag: tag }, 'an unacked record cannot be read; left where it is')
    // The anonymous exchange: the routing key is the queue (section 7.3).
    else items.push({ tag, queue: record.routingKey, envelope: record.envelope })
  })
  return { items, orphans }
}
