import { expect, it } from 'vitest'
import { createLogicalClock } from '../../src/logical-clock.js'

it('counts what is its own by one, and passes whatever it receives', () => {
  const clock = createLogicalClock()
  expect([clock.forward(), clock.forward(), clock.value]).toEqual([1, 2, 2])
  expect(clock.adjust(10)).toBe(11)
  expect(clock.adjust(3)).toBe(12)
  expect(clock.forward()).toBe(13)
})
