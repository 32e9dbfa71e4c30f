import { describe, expect, it } from 'vitest'
import { ExactValuesBudget, MetricAccumulator } from '../../../../src/tasks/reports/metric-accumulator.js'

function accumulate(
  values: Iterable<number | undefined>,
  budget = new ExactValuesBudget(),
): MetricAccumulator {
  const accumulator = new MetricAccumulator(budget)
  for (const value of values) accumulator.add(value)
  return accumulator
}

/** 0 to `count` - 1 in a mixed order: 7919 is a prime that divides no count used here. */
function* shuffled(count: number, transform: (index: number) => number): Generator<number> {
  for (let index = 0; index < count; index++) yield transform((index * 7919) % count)
}

describe('MetricAccumulator', () => {
  it('has no figures without values', () => {
    expect(accumulate([undefined, undefined]).result()).toEqual({
      count: 0,
      missing: 2,
      sum: null,
      mean: null,
      min: null,
      max: null,
      p95: null,
      approximate: false,
    })
  })

  it('interpolates the percentile as Python does', () => {
    // statistics.quantiles([15, 20, 35, 40, 50], n=100, method='inclusive')[94] == 48.0
    expect(accumulate([35, 15, 50, 20, 40]).result().p95).toBe(48)
    expect(accumulate([7]).result().p95).toBe(7)
    // statistics.quantiles(range(1000), n=100, method='inclusive')[94] == 949.05
    expect(accumulate(shuffled(1000, (index) => index)).result().p95).toBeCloseTo(949.05, 9)
  })

  it('sums as if in exact arithmetic', () => {
    // math.fsum([1e16, 1.0, -1e16, 1.0]) == 2.0, while sum() gives 1.0
    expect(accumulate([1e16, 1, -1e16, 1]).result().sum).toBe(2)
    expect(accumulate(Array.from({ length: 1_000_000 }, () => 0.1)).result().sum).toBe(100_000)
  })

  it('has a null sum, and still a maximum, past the largest double', () => {
    const { sum, mean, max } = accumulate([1.7e308, 1.7e308]).result()
    expect({ sum, mean, max }).toEqual({ sum: null, mean: null, max: 1.7e308 })
  })

  it('estimates the percentile of very many values within 1 %', () => {
    const { p95, approximate, count, min, max } = accumulate(shuffled(200_000, (index) => index + 1)).result()
    expect({ approximate, count, min, max }).toEqual({
      approximate: true,
      count: 200_000,
      min: 1,
      max: 200_000,
    })
    expect(Math.abs((p95 ?? 0) / 190_000 - 1)).toBeLessThan(0.0101)
  })

  it('estimates within 1 % where all values are negative', () => {
    const { p95 } = accumulate(shuffled(200_000, (index) => -(index + 1))).result()
    expect(Math.abs((p95 ?? 0) / -10_000 - 1)).toBeLessThan(0.0102)
  })

  it('estimates when the budget of all accumulators is used up, and gives back what it took', () => {
    const budget = new ExactValuesBudget(64)
    const first = accumulate(
      shuffled(100, (index) => index),
      budget,
    )
    expect(first.result().approximate).toBe(true)

    const second = accumulate(
      shuffled(50, (index) => index),
      budget,
    )
    expect(second.result()).toMatchObject({ approximate: false, count: 50 })
  })

  it('absorbs others as if it had seen their values', () => {
    const total = accumulate([])
    total.absorb(accumulate([1, 2, undefined]))
    total.absorb(accumulate([]))
    total.absorb(accumulate([-3, 40]))
    expect(total.result()).toMatchObject({
      count: 4,
      missing: 1,
      sum: 40,
      mean: 10,
      min: -3,
      max: 40,
      approximate: false,
    })
    // statistics.quantiles([-3, 1, 2, 40], n=100, method='inclusive')[94] == 34.3
    expect(total.result().p95).toBeCloseTo(34.3, 9)
  })

  it('absorbs estimates, negative values among them', () => {
    const total = accumulate([5])
    total.absorb(accumulate(shuffled(150_000, (index) => index + 1)))
    total.absorb(accumulate(shuffled(3_000_000, (index) => -(index + 1))))
    const { count, p95, sum } = total.result()
    expect({ count, sum }).toEqual({ count: 3_150_001, sum: 5 + 11_250_075_000 - 4_500_001_500_000 })
    // Rank 2,992,500 from below among 3,000,000 negative values in order: -7,500.
    expect(Math.abs((p95 ?? 0) / -7_500 - 1)).toBeLessThan(0.0102)
  })
})
