import { expect, it } from 'vitest'
import { eventCost, SLICES_DROPPED } from '../../../bench/event-cost.js'
import type { Slice } from '../../../bench/measure-events.js'

/** Slices of a second each, the first without events, on a machine that gets slower all the time. */
function run(count: number, left: number): Slice[] {
  return Array.from({ length: count }, (_, i) => {
    const isOn = i % 2 === 1
    const tasks = 1000 * (1 - i / 100) * (isOn ? left : 1)
    return { isOn, tasks, ms: 1000, cpuMs: 100 }
  })
}

it('holds slices with events against those beside them, and not against those of another worker', () => {
  const cold = Array.from({ length: SLICES_DROPPED }, (): Slice => ({
    isOn: false,
    tasks: 1,
    ms: 1000,
    cpuMs: 1,
  }))

  const cost = eventCost([
    [...cold, ...run(7, 0.8)],
    [...cold, ...run(4, 0.8)],
  ])

  expect(cost.left).toBeCloseTo(0.8)
  expect(cost.leftFrom).toBeCloseTo(0.8)
  expect(cost.leftTo).toBeCloseTo(0.8)
  // The last of the second worker has none behind it.
  expect(cost.compared).toBe(3 + 1)
})

it('compares nothing where there are too few slices', () => {
  expect(eventCost([run(SLICES_DROPPED + 2, 0.8)])).toMatchObject({ left: NaN, compared: 0 })
})
