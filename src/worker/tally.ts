import type { WorkerCounts } from '../app/worker-options.js'

/** What a worker has done since its start; each part counts what it does itself. */
export type Tally = {
  -readonly [Kind in Exclude<keyof WorkerCounts, 'active' | 'reserved' | 'lingering'>]: number
}

export function startTally(): Tally {
  return { started: 0, succeeded: 0, failed: 0, retried: 0, deadLettered: 0 }
}
