import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createAttempts, inRounds } from '../../../bench/attempts.js'

const never = new AbortController().signal

it('ends what takes too long, and measures what comes after it', async () => {
  const attempts = createAttempts(never, () => undefined)
  const line = { peer: 'Celery', kind: 'chord', longestMs: 20 }
  const slow = { ...line, label: 'slow', measure: (signal: AbortSignal) => sleep(60_000, 1, { signal }) }
  const fast = { ...line, label: 'fast', measure: () => Promise.resolve(2) }

  const lines = await inRounds([slow, fast], 2, attempts)

  expect(lines).toMatchObject([
    { label: 'slow', seen: [], failures: ['took longer than 0.02 s', 'took longer than 0.02 s'] },
    { label: 'fast', seen: [2, 2], failures: [] },
  ])
  expect(attempts.failed()).toBe(2)
})

it('gives the last that a process printed as the reason', async () => {
  const { attempt } = createAttempts(never, () => undefined)
  const fail = (): never => {
    throw new Error('it ended; it printed:\nTraceback\n  KeyError: 1\n')
  }

  const outcome = await attempt('a chord', 1000, async () => Promise.resolve(fail()))

  expect(outcome).toEqual({ failure: 'it ended; it printed: KeyError: 1' })
})
