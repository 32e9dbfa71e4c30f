import { printed, start } from './start.js'
import { quantile } from './statistics.js'
import type { Launch } from './peers/peer.js'

/** Milliseconds from sending a task to having its result, with nothing else to do. */
export interface RoundTrips {
  readonly p50: number
  readonly p99: number
}

/** Start a worker and a client beside it, which calls one task after another. Both are killed then. */
export async function measureRoundTrips(
  worker: Launch,
  client: Launch,
  signal: AbortSignal,
): Promise<RoundTrips> {
  await using working = start(worker, signal)
  await using calling = start(client, signal)
  const took = await printed<readonly number[]>('roundTripsMs', calling, working)
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
}
