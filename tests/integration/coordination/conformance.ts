import { describe, expect, it, vi } from 'vitest'
import type { Coordination } from '../../../src/coordination/coordination.js'

const LONG_MS = 60_000
const SHORT_MS = 200
const WITHIN = { timeout: 10_000, interval: 20 }

/** What every implementation does. @param make - makes one with nothing in it, closed by whoever makes it. */
export function describeCoordination(make: () => Coordination): void {
  describe('a unique key', () => {
    it('is the first one’s until it is given back', async () => {
      const coordination = make()
      expect(await coordination.takeUnique('k', 'a', LONG_MS)).toBe('a')
      expect(await coordination.takeUnique('k', 'b', LONG_MS)).toBe('a')
      expect(await coordination.takeUnique('k', 'a', LONG_MS)).toBe('a')
      expect(await coordination.takeUnique('other', 'b', LONG_MS)).toBe('b')
      await coordination.releaseUnique('k', 'b')
      expect(await coordination.takeUnique('k', 'b', LONG_MS)).toBe('a')
      await coordination.releaseUnique('k', 'a')
      expect(await coordination.takeUnique('k', 'b', LONG_MS)).toBe('b')
    })

    it('is taken from a task that has it, and from no other', async () => {
      const coordination = make()
      await coordination.takeUnique('k', 'a', LONG_MS)
      expect(await coordination.takeUnique('k', 'b', LONG_MS, 'other')).toBe('a')
      expect(await coordination.takeUnique('k', 'b', LONG_MS, 'a')).toBe('b')
      expect(await coordination.takeUnique('k', 'c', LONG_MS, 'a')).toBe('b')
      await coordination.releaseUnique('k', 'a')
      expect(await coordination.keepUnique('k', 'b', LONG_MS)).toBe(true)
      expect(await coordination.takeUnique('free', 'b', LONG_MS, 'a')).toBe('b')
    })

    it('is free when its time is over, which only its holder puts off', async () => {
      const coordination = make()
      await coordination.takeUnique('kept', 'a', SHORT_MS)
      await coordination.takeUnique('gone', 'a', SHORT_MS)
      expect(await coordination.keepUnique('gone', 'b', LONG_MS)).toBe(false)
      expect(await coordination.keepUnique('kept', 'a', LONG_MS)).toBe(true)
      const taken = () => coordination.takeUnique('gone', 'b', LONG_MS)
      await vi.waitFor(async () => expect(await taken()).toBe('b'), WITHIN)
      expect(await coordination.takeUnique('kept', 'b', LONG_MS)).toBe('a')
    })
  })

  describe('turns', () => {
    it('follow each other in their interval, and are reserved as far ahead as asked', async () => {
      const coordination = make()
      const turns = await Promise.all(
        Array.from({ length: 5 }, () => coordination.reserveTurn('k', 10_000, 25_000)),
      )
      expect(turns.map(({ isReserved }) => isReserved)).toEqual([true, true, true, false, false])
      const [first, second, third, fourth, fifth] = turns.map(({ waitMs }) => waitMs)
      expect(first).toBe(0)
      for (const [wait, least] of [
        [second, 5000],
        [third, 15_000],
        [fourth, 25_000],
      ] as const) {
        expect(wait).toBeGreaterThan(least)
        expect(wait).toBeLessThanOrEqual(least + 5000)
      }
      expect(fifth).toBeLessThanOrEqual(fourth ?? 0)
      expect(await coordination.reserveTurn('other', 10_000, 0)).toMatchObject({
        isReserved: true,
        waitMs: 0,
      })
    })
  })

  describe('slots', () => {
    it('are as many as the limit, and free when they are given back', async () => {
      const coordination = make()
      const take = (holder: string) => coordination.takeSlot('k', holder, 2, LONG_MS)
      expect([await take('a'), await take('b'), await take('c')]).toEqual([1, 0, undefined])
      expect(await take('b')).toBe(0)
      expect(await coordination.takeSlot('other', 'c', 2, LONG_MS)).toBe(1)
      await coordination.releaseSlot({ key: 'k', holder: 'nobody' })
      expect(await take('c')).toBe(undefined)
      await coordination.releaseSlot({ key: 'k', holder: 'a' })
      expect(await take('c')).toBe(0)
    })

    it('are free when their time is over, unless they are kept', async () => {
      const coordination = make()
      await coordination.takeSlot('k', 'dead', 2, SHORT_MS)
      await coordination.takeSlot('k', 'alive', 2, SHORT_MS)
      await coordination.keepSlots([{ key: 'k', holder: 'alive' }], LONG_MS)
      const taken = () => coordination.takeSlot('k', 'next', 2, LONG_MS)
      await vi.waitFor(async () => expect(await taken()).toBe(0), WITHIN)
      expect(await coordination.takeSlot('k', 'last', 2, LONG_MS)).toBe(undefined)
    })

    it('that were lost while their tasks ran count again', async () => {
      const coordination = make()
      await coordination.keepSlots([{ key: 'k', holder: 'a' }], LONG_MS)
      expect(await coordination.takeSlot('k', 'b', 1, LONG_MS)).toBe(undefined)
    })
  })
}
