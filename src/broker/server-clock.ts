import type { Redis } from 'ioredis'

/** The clock of the server, which is the same for all who share it. */
export interface ServerClock {
  /** Milliseconds since the Unix epoch; undefined while they are not known. */
  now(this: void): number | undefined
}

/** For what the clocks drift apart. */
const ASK_EVERY_MS = 300_000

/** Asks when a connection is there, since that may lead to another server, and when the answer is old and wanted. */
export function createServerClock(client: Redis): ServerClock {
  // Against the monotonic clock: that of the day may be set.
  let aheadMs: number | undefined
  let askedAt = -Infinity

  const ask = async (): Promise<void> => {
    askedAt = performance.now()
    const [seconds, micros] = (await client.time()).map(Number)
    if (seconds === undefined || micros === undefined) return
    // It was read on the way there, or back.
    const readAt = (askedAt + performance.now()) / 2
    aheadMs = seconds * 1000 + micros / 1000 - readAt
  }
  // Whom the server does not tell does without.
  const askOnce = (): void => void ask().catch(() => undefined)
  client.on('ready', askOnce)

  return {
    now() {
      const now = performance.now()
      if (now - askedAt > ASK_EVERY_MS && client.status === 'ready') askOnce()
      return aheadMs === undefined ? undefined : now + aheadMs
    },
  }
}
