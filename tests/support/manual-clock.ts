import type { Clock } from '../../src/clock.js'

/** A clock that stands still until the test moves it. */
export interface ManualClock extends Clock {
  /** Let time pass: sleepers whose time comes are woken one by one, each with what it then does finished first. */
  advance(ms: number): Promise<void>
  /** Set the clock by `ms`, forward or back. As with timers, no time passes: nobody is woken. */
  jump(ms: number): void
  /** How many sleep at the moment. */
  sleepers(): number
}

interface Sleeper {
  readonly wakeAt: number
  readonly wake: () => void
}

/** @param start - Milliseconds since the Unix epoch, or a time as text or Date. */
export function manualClock(start: number | string | Date = '2024-05-10T10:00:00Z'): ManualClock {
  let time = new Date(start).getTime()
  let passed = 0
  const sleepers = new Set<Sleeper>()

  const nextUntil = (end: number): Sleeper | undefined => {
    const [first] = [...sleepers].sort((a, b) => a.wakeAt - b.wakeAt)
    return first !== undefined && first.wakeAt <= end ? first : undefined
  }
  const passUntil = (moment: number): void => {
    time += moment - passed
    passed = moment
  }

  return {
    now: () => time,
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = (): void => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const sleeper: Sleeper = { wakeAt: passed + Math.max(0, ms), wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake, { once: true })
      })
    },
    async advance(ms) {
      const end = passed + ms
      await settled()
      for (let next = nextUntil(end); next !== undefined; next = nextUntil(end)) {
        passUntil(Math.max(passed, next.wakeAt))
        next.wake()
        await settled()
      }
      passUntil(end)
    },
    jump(ms) {
      time += ms
    },
    passedMs: () => passed,
    sleepers: () => sleepers.size,
  }
}

/** All promise reactions that are under way have run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
