import { printed, start } from './start.js'
import type { Launch } from './peers/peer.js'

/**
 * Start a worker and a client beside it, which sends one group or chord and waits for its result. Both are killed then.
 *
 * @returns milliseconds from sending it until its result is there.
 */
export async function measureCanvas(worker: Launch, client: Launch, signal: AbortSignal): Promise<number> {
  await using working = start(worker, signal)
  await using calling = start(client, signal)
  return await printed<number>('canvasMs', calling, working)
}
