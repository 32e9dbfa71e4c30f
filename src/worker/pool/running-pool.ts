import type { Autoscaler } from './autoscaler.js'
import type { Pool } from './pool.js'
import type { RunningPool } from '../../app/worker-options.js'

/** What the owner of a worker sees of its pool, and may do with it. */
export function runningPool(pool: Pool, autoscaler: Autoscaler | undefined): RunningPool {
  return {
    kind: pool.kind,
    get concurrency() {
      return pool.slots.concurrency
    },
    autoscale: autoscaler,
    get children() {
      return pool.children
    },
    grow: pool.grow,
    shrink: pool.shrink,
  }
}
