import type { Coordination, Slot } from '../../coordination/coordination.js'
import type { Log } from '../../log.js'

/** The slots of keys that this worker has in Redis: each is taken for a lease, and kept until it is given back. */
export interface KeySlots {
  /** @returns undefined where none is free, or Redis does not answer. */
  take(this: void, key: string, limit: number): Promise<Slot | undefined>
  giveBack(this: void, slot: Slot): void
  close(): void
}

export interface KeySlotsParts {
  readonly coordination: () => Coordination
  /** Names this worker among all. */
  readonly holder: string
  readonly leaseMs: number
  readonly log: Log
}

export function createKeySlots({ coordination, holder, leaseMs, log }: KeySlotsParts): KeySlots {
  const slots = new Set<Slot>()
  let renewing: NodeJS.Timeout | undefined
  let count = 0

  const keep = (): void => {
    renewing ??= setInterval(() => {
      if (slots.size === 0) {
        clearInterval(renewing)
        renewing = undefined
        return
      }
      coordination()
        .keepSlots([...slots], leaseMs)
        .catch((error: unknown) => log.warn({ err: error }, 'could not keep the slots of concurrency limits'))
    }, leaseMs / 3)
  }

  const giveBack = (slot: Slot): void => {
    slots.delete(slot)
    coordination()
      .releaseSlot(slot)
      .catch((error: unknown) => {
        log.warn(
          { err: error, key: slot.key },
          'could not give a slot back; it is free when its lease is over',
        )
      })
  }

  return {
    async take(key, limit) {
      const slot = { key, holder: `${holder}:${++count}` }
      try {
        if ((await coordination().takeSlot(key, slot.holder, limit, leaseMs)) === undefined) return undefined
      } catch (error) {
        log.warn({ err: error, key }, 'could not ask for a slot of a concurrency limit; trying again')
        // It may have been given all the same.
        giveBack(slot)
        return undefined
      }
      slots.add(slot)
      keep()
      return slot
    },
    giveBack,
    close: () => clearInterval(renewing),
  }
}
