import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createLookAhead, type LookAhead } from '../../../src/worker/limits/look-ahead.js'

const LIMITS = { asideRoom: 500, isNeeded: true, active: 4, reserved: 0 }

interface Site {
  readonly state: typeof LIMITS
  readonly look: LookAhead
  readonly pass: (ms: number) => void
}

function site(changed: Partial<typeof LIMITS> = {}): Site {
  const state = { ...LIMITS, ...changed }
  let now = 0
  const look = createLookAhead({
    aside: {
      get room() {
        return state.asideRoom
      },
    },
    slots: {
      concurrency: 4,
      get active() {
        return state.active
      },
      get reserved() {
        return state.reserved
      },
    },
    isNeeded: () => state.isNeeded,
    clock: { passedMs: () => now },
  })
  onTestFinished(() => look.close())
  return {
    state,
    look,
    pass(ms) {
      now += ms
      vi.advanceTimersByTime(ms)
    },
  }
}

describe('a worker with limited calls in hand', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
  })

  it('claims as without any while it has free slots, or no such call', () => {
    expect(site({ active: 3 }).look.room(1)).toBe(1)
    expect(site({ isNeeded: false }).look.room(0)).toBe(0)
  })

  it('looks on at once while there is room aside, at more and more messages', () => {
    const { look } = site()
    const rooms = Array.from({ length: 5 }, () => {
      const room = look.room(0)
      look.claimed(room)
      return room
    })
    expect(rooms).toEqual([8, 16, 32, 64, 64])
  })

  it('looks on at a bounded pace where there is none', () => {
    const { look, pass, state } = site({ asideRoom: 0 })
    let told = 0
    look.onRoom(() => told++)
    look.claimed(look.room(0))
    expect(look.room(0)).toBe(0)
    pass(32)
    expect(told).toBe(1)
    expect(look.room(0)).toBeGreaterThan(0)
    state.asideRoom = 3
    look.claimed(16)
    expect(look.room(10)).toBe(3)
  })

  it('waits for a slot where it found nothing, and looks now and then', () => {
    const { look, pass } = site()
    look.claimed(0)
    pass(999)
    expect(look.room(0)).toBe(0)
    pass(1)
    expect(look.room(0)).toBe(16)
    look.claimed(0)
    look.granted()
    pass(32)
    expect(look.room(0)).toBeGreaterThan(0)
  })

  it('looks no further than a call without a limit', () => {
    expect(site({ reserved: 1 }).look.room(-1)).toBe(-1)
  })

  it('looks for nothing that was handed back until a slot is free, and then for all of it', () => {
    const { look, pass, state } = site()
    look.handedBack()
    pass(60_000)
    expect(look.room(0)).toBe(0)
    state.active = 3
    look.seek(21)
    expect(look.room(1)).toBe(21)
  })
})
