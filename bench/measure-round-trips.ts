import { quantile } from './statistics.js'
import { start } from './measure-throughput.js'
import type { Launch } from './peers/peer.js'

/** Milliseconds from sending a task to having its result, with nothing else to do. */
export interface RoundTrips {
  readonly p50: number
  readonly p99: number
}

const LONGEST_MS = 60_000

/** Start a worker and a client beside it, which calls one task after another. Both are killed then. */
export async function measureRoundTrips(worker: Launch, client: Launch): Promise<RoundTrips> {
  await using _working = start(worker)
  await using calling = start(client)
  const [line] = await calling.waitForLine(/^\{"roundTripsMs":.*\}$/, LONGEST_MS)
  const { roundTripsMs } = JSON.parse(line) as { readonly roundTripsMs: readonly number[] }
  return { p50: quantile(roundTripsMs, 0.5), p99: quantile(roundTripsMs, 0.99) }
}
