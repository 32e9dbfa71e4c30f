import { createSlots } from './slots.js'
import { execute } from '../execute.js'
import { sizedPool, type Pool } from './pool.js'

/**
 * Runs tasks on the event loop: for tasks that wait for others more than they compute. What computes for long
 * holds up everything in its process.
 *
 * @param kind - `solo` has one slot, always.
 */
export function createAsyncPool(kind: 'async' | 'solo', concurrency: number): Pool {
  const slots = createSlots(kind === 'solo' ? 1 : concurrency)
  return sizedPool({
    kind,
    slots,
    execute,
    children: [process.pid],
    resize: kind === 'solo' ? undefined : (count) => Promise.resolve(slots.resize(count)),
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  })
}
