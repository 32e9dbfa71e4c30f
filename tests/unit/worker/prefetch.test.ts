import { describe, expect, it } from 'vitest'
import { adaptivePrefetch, fixedPrefetch, type Prefetch } from '../../../src/worker/prefetch.js'

interface Pace {
  readonly prefetch: Prefetch
  /** Let so many tasks end in so many milliseconds, one of which each look at the limit takes. */
  readonly run: (tasks: number, ms: number) => void
}

function atPace(concurrency: number): Pace {
  let nowMs = 1000
  let ended = 0
  const prefetch = adaptivePrefetch(
    () => concurrency,
    () => ended,
    () => nowMs,
  )
  return {
    prefetch,
    run(tasks, ms) {
      for (let i = 0; i < ms; i++) {
        nowMs++
        ended += tasks / ms
        prefetch.limit()
      }
    },
  }
}

describe('row 18: adaptive prefetch', () => {
  it('is one message for each slot at first, and for tasks that take long', () => {
    const { prefetch, run } = atPace(100)
    expect(prefetch.limit()).toBe(100)
    // A hundred tasks of twenty seconds.
    run(100, 20_000)
    expect(prefetch.limit()).toBe(100)
  })

  it('is what ends within some ten milliseconds beside that', () => {
    const { prefetch, run } = atPace(10)
    run(2000, 1000)
    expect(prefetch.limit() - 10).toBeGreaterThan(15)
    expect(prefetch.limit() - 10).toBeLessThanOrEqual(20)
  })

  it('is two full claims at most', () => {
    const { prefetch, run } = atPace(10)
    run(100_000, 1000)
    expect(prefetch.limit()).toBe(10 + 400)
    expect(fixedPrefetch(() => 10, 0).limit()).toBe(Infinity)
    expect(fixedPrefetch(() => 10, 4).limit()).toBe(40)
  })

  it('falls as soon as tasks end more slowly', () => {
    const { prefetch, run } = atPace(10)
    run(20_000, 1000)
    run(0, 300)
    expect(prefetch.limit()).toBe(10)
  })

  it('covers two round trips to a server that is far away', () => {
    const { prefetch, run } = atPace(10)
    for (let i = 0; i < 20; i++) prefetch.claimed(20)
    run(1000, 1000)
    expect(prefetch.limit()).toBeGreaterThan(10 + 30)
    for (let i = 0; i < 20; i++) prefetch.claimed(2000)
    expect(prefetch.limit()).toBeLessThanOrEqual(10 + 50)
  })

  it('claims of tasks that block the event loop what it works within a tenth of a second', () => {
    const { prefetch } = atPace(100)
    expect(prefetch.claimSize()).toBe(10)
    prefetch.handedOver(10, 0.2)
    prefetch.handedOver(19, 0.4)
    expect(prefetch.claimSize()).toBeGreaterThan(19)
    for (let i = 0; i < 10; i++) prefetch.handedOver(100, 2)
    expect(prefetch.claimSize()).toBe(200)
    for (let i = 0; i < 10; i++) prefetch.handedOver(2, 100)
    expect(prefetch.claimSize()).toBe(2)
    prefetch.handedOver(1, 60_000)
    expect(prefetch.claimSize()).toBe(1)
  })
})
