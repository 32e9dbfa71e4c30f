import { start } from './measure-throughput.js'
import type { Launch } from './peers/peer.js'

const LONGEST_MS = 300_000

/**
 * Start a worker and a client beside it, which sends one group or chord and waits for its result. Both are killed then.
 *
 * @returns milliseconds from sending it until its result is there.
 */
export async function measureCanvas(worker: Launch, client: Launch): Promise<number> {
  await using _working = start(worker)
  await using calling = start(client)
  const [line] = await calling.waitForLine(/^\{"canvasMs":.*\}$/, LONGEST_MS)
  return (JSON.parse(line) as { readonly canvasMs: number }).canvasMs
}
