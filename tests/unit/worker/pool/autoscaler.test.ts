import { expect, it } from 'vitest'
import { atTestEnd } from '../../../support/at-test-end.js'
import { createAsyncPool } from '../../../../src/worker/pool/async-pool.js'
import { createAutoscaler, type Autoscaler } from '../../../../src/worker/pool/autoscaler.js'
import { silentLog } from '../../../../src/log.js'
import type { Pool } from '../../../../src/worker/pool/pool.js'

interface Scaled {
  readonly pool: Pool
  readonly autoscaler: Autoscaler
  /** There is so much work, so many milliseconds later. */
  see(this: void, demand: number, afterMs?: number): Promise<number>
}

function scaled(max: number, min: number): Scaled {
  const pool = createAsyncPool('async', min)
  let demand = 0
  let nowMs = 0
  const autoscaler = createAutoscaler({
    pool,
    limits: { max, min },
    demand: () => demand,
    now: () => nowMs,
    log: silentLog,
  })
  autoscaler.start()
  atTestEnd(() => autoscaler.stop())
  return {
    pool,
    autoscaler,
    async see(tasks, afterMs = 0) {
      // An earlier change is over by then.
      await new Promise((resolve) => setImmediate(resolve))
      demand = tasks
      nowMs += afterMs
      autoscaler.look()
      await new Promise((resolve) => setImmediate(resolve))
      return pool.slots.concurrency
    },
  }
}

it('has as many slots as there are tasks, at once, between its limits', async () => {
  const { see } = scaled(10, 2)
  expect(await see(0)).toBe(2)
  expect(await see(5)).toBe(5)
  expect(await see(50)).toBe(10)
})

it('shrinks when it has not grown for thirty seconds, as Celery’s', async () => {
  const { see } = scaled(10, 2)
  await see(8)
  expect(await see(1, 29_000)).toBe(8)
  expect(await see(4, 1000)).toBe(4)
  expect(await see(0)).toBe(2)
})

it('keeps to limits that are changed while it works', async () => {
  const { see, autoscaler } = scaled(10, 2)
  await see(10)
  autoscaler.update({ max: 6 })
  expect(await see(10)).toBe(6)
  autoscaler.update({ min: 4, max: 20 })
  expect(await see(11)).toBe(11)
  expect(await see(0, 60_000)).toBe(4)
  expect(() => autoscaler.update({ min: 21 })).toThrow('got max 20 and min 21')
})

it('refuses a pool that cannot change its size', () => {
  const parts = { demand: () => 0, now: () => 0, log: silentLog }
  expect(() => createAutoscaler({ ...parts, pool: createAsyncPool('solo', 1), limits: { max: 2 } })).toThrow(
    'autoscale: a pool of the kind solo has a fixed size',
  )
})
