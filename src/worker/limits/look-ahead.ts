import { MOST_ASIDE, type Aside } from './aside.js'
import type { Clock } from '../../clock.js'
import type { Slots } from '../pool/slots.js'

/**
 * How far a worker looks ahead in its queues while its slots are taken and calls with a concurrency limit are among what
 * it has in hand: behind a long line of one key there may be calls of others, whose turn it is.
 *
 * While there is room aside it looks on at once, after that at a bounded pace, since each message that it passes by is
 * parked and comes back. It looks only at what waits in a queue, which no worker was free to take; and having found a
 * call without a limit it stops, as that gets the next slot but one.
 */
export interface LookAhead {
  /**
   * How many messages to claim.
   *
   * @param natural - So many without limits; below 0 where too many are held already.
   */
  room(this: void, natural: number): number
  /** A claim has brought so many. */
  claimed(this: void, count: number): void
  /** A limited call was given a slot of the pool. */
  granted(): void
  /** Messages went back to others: what follows them is of no use here until a slot is free. */
  handedBack(): void
  /** A slot is kept free for a moment: so many are to be claimed at once, since those that went back are among them. */
  seek(count: number): void
  /** Call `listener` when there may be more room than before. */
  onRoom(this: void, listener: () => void): void
  close(): void
}

export interface LookAheadParts {
  readonly aside: Pick<Aside, 'room'>
  readonly slots: Pick<Slots, 'active' | 'concurrency' | 'reserved'>
  /** Whether any limited call is in hand. */
  readonly isNeeded: () => boolean
  readonly clock: Pick<Clock, 'passedMs'>
}

/** Messages of one look: few where there may be calls without a limit among them, which others could begin. */
const FIRST_LOOK = 8
const MOST_PER_LOOK = 64
/** With less room aside than this, most of what is found is parked. */
const LITTLE_ROOM = MOST_ASIDE / 8
/** Looks that find no room aside: two thousand messages a second, and five hundred where tasks take all of the processor. */
const LEAST_PER_LOOK = 16
const LOOK_EVERY_MS = 32
/** Nothing was found: looked for again when a slot was given to the next call, and after this. */
const LOOK_AT_LEAST_EVERY_MS = 1000

export function createLookAhead({ aside, slots, isNeeded, clock }: LookAheadParts): LookAhead {
  let batch = FIRST_LOOK
  let nextAt = -Infinity
  /** Instead of then: there is no use in looking before a slot was given to somebody. */
  let laterAt: number | undefined
  let sought = 0
  let used = performance.eventLoopUtilization()
  let timer: NodeJS.Timeout | undefined
  let tell: (() => void) | undefined

  const remind = (): void => {
    clearTimeout(timer)
    const at = laterAt ?? nextAt
    timer = undefined
    if (at === Infinity) return
    timer = setTimeout(
      () => {
        timer = undefined
        tell?.()
      },
      Math.max(0, at - clock.passedMs()),
    )
  }
  /** Of messages that are looked for beyond what is natural. */
  const look = (): number => {
    if (clock.passedMs() >= (laterAt ?? nextAt)) return batch
    if (timer === undefined) remind()
    return 0
  }

  /** Running calls comes before looking. */
  const affordable = (): number => {
    const before = used
    used = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(used, before)
    return Math.max(LEAST_PER_LOOK, Math.round((1 - utilization) * MOST_PER_LOOK))
  }

  return {
    room(natural) {
      if (!isNeeded()) return natural
      if (slots.active < slots.concurrency) return Math.max(natural, sought)
      if (natural <= 0) return slots.reserved > 0 ? natural : look() + natural
      if (slots.reserved > 0) return Math.min(natural, Math.max(aside.room, look()))
      return Math.max(Math.min(natural, aside.room), look())
    },
    claimed(count) {
      if (!isNeeded() || slots.active < slots.concurrency) return
      const now = clock.passedMs()
      if (now < (laterAt ?? nextAt)) return
      const isRoomy = count > 0 && aside.room >= LITTLE_ROOM
      batch = slots.reserved > 0 ? FIRST_LOOK : Math.min(2 * batch, isRoomy ? MOST_PER_LOOK : affordable())
      nextAt = isRoomy ? now : now + LOOK_EVERY_MS
      laterAt = count > 0 ? undefined : now + LOOK_AT_LEAST_EVERY_MS
    },
    granted() {
      if (laterAt === undefined) return
      laterAt = undefined
      remind()
    },
    handedBack: () => void (laterAt = Infinity),
    seek(count) {
      sought = count
      tell?.()
    },
    onRoom: (listener) => void (tell = listener),
    close: () => clearTimeout(timer),
  }
}
