import { describe, expect, it } from 'vitest'
import { createPace, createReturns } from '../../../src/worker/limits/pace.js'
import { parseRate } from '../../../src/app/rate-limit.js'

describe('a rate', () => {
  it.each([
    ['10/s', 10],
    ['100/m', 100 / 60],
    ['5/h', 5 / 3600],
    ['7', 7],
    [0.5, 0.5],
    [0, 0],
    [null, 0],
    ['', 0],
  ])('%j is %d a second', (rate, perSecond) => {
    expect(parseRate(rate)).toBeCloseTo(perSecond)
  })

  it.each([['10/d'], ['fast'], [-1], [Number.NaN], [{}]])('%j is refused', (rate) => {
    expect(() => parseRate(rate)).toThrow('rate limit: expected a rate such as "10/s"')
  })
})

describe('a pace', () => {
  it('gives turns in its interval, none farther away than asked', () => {
    const pace = createPace(10)
    const turns = Array.from({ length: 4 }, () => pace.reserve(1000, 200))
    expect(turns).toEqual([
      { isReserved: true, waitMs: 0 },
      { isReserved: true, waitMs: 100 },
      { isReserved: true, waitMs: 200 },
      { isReserved: false, waitMs: 300 },
    ])
    expect(pace.reserve(1150, 200)).toEqual({ isReserved: true, waitMs: 150 })
  })

  it('allows no burst after a time in which nothing came', () => {
    const pace = createPace(10)
    pace.reserve(0, 0)
    expect(pace.reserve(5000, 0)).toEqual({ isReserved: true, waitMs: 0 })
    expect(pace.reserve(5000, 0)).toEqual({ isReserved: false, waitMs: 100 })
  })
})

describe('returns', () => {
  it('come one after the other at the pace at which they can be taken', () => {
    const returns = createReturns()()
    expect([0, 0, 10].map((now) => returns.next(now, 500, 100))).toEqual([500, 600, 690])
  })

  it('come sooner where they would be far away, but no more than 500 a second of all limits', () => {
    const newReturns = createReturns()
    const [one, other] = [newReturns(), newReturns()]
    expect([one, other, one].map(({ next }) => next(0, 3_600_000, 100))).toEqual([15_000, 15_002, 15_004])
    expect(one.next(0, 500, 100)).toBe(500)
  })
})
