import { expect, it } from 'vitest'
import { fullJitterMs } from '../../src/backoff.js'

const LIMITS = { firstMs: 100, longestMs: 800 }

function samples(attempt: number): number[] {
  return Array.from({ length: 500 }, () => fullJitterMs(attempt, LIMITS))
}

it.each([
  [1, 100],
  [2, 200],
  [4, 800],
  [5, 800],
  [10_000, 800],
])('pause %i is spread over the whole of %i ms', (attempt, limit) => {
  const pauses = samples(attempt)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(limit)
  for (const part of [0, 1, 2, 3]) {
    const within = pauses.filter((pause) => pause >= (limit * part) / 4 && pause <= (limit * (part + 1)) / 4)
    // A quarter of them is 125; fewer than 60 does not happen by chance.
    expect(within.length).toBeGreaterThan(60)
  }
})
