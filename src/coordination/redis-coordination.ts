import { closeRedis, openSingle, ready, type RedisConnectionOptions } from '../redis/connect.js'
import { loadScript } from '../redis/script.js'
import { coordinationKeys } from './keys.js'
import type { Coordination } from './coordination.js'
import type { Log } from '../log.js'
import type { Redis } from 'ioredis'

const takeUniqueScript = loadScript(new URL('./lua/take-unique.lua', import.meta.url))
const keepUniqueScript = loadScript(new URL('./lua/keep-unique.lua', import.meta.url))
const reserveTurnScript = loadScript(new URL('./lua/reserve-turn.lua', import.meta.url))
const takeSlotScript = loadScript(new URL('./lua/take-slot.lua', import.meta.url))
const keepSlotsScript = loadScript(new URL('./lua/keep-slots.lua', import.meta.url))

export interface RedisCoordinationOptions {
  /** The broker's. */
  readonly connection: RedisConnectionOptions
  readonly globalKeyprefix: string
  /** Milliseconds for which a connection is waited for. */
  readonly patienceMs: number
  readonly log: Log
}

/** Over a connection of its own, which is opened when it is first needed. */
export function createRedisCoordination(options: RedisCoordinationOptions): Coordination {
  const { connection, globalKeyprefix, patienceMs, log } = options
  const keys = coordinationKeys(globalKeyprefix)
  let opened: Redis | undefined
  const client = async (): Promise<Redis> => {
    opened ??= openSingle(connection, 'coordination', keys.slots(''), log)
    if (opened.status !== 'ready') await ready(opened, { timeoutMs: patienceMs })
    return opened
  }

  const keepUnique = async (key: string, taskId: string, forMs: number): Promise<boolean> =>
    (await keepUniqueScript.run(await client(), [keys.unique(key)], [taskId, Math.ceil(forMs)])) === 1

  return {
    async takeUnique(key, taskId, forMs, from = '') {
      const args = [taskId, Math.max(1, Math.ceil(forMs)), from]
      return String(await takeUniqueScript.run(await client(), [keys.unique(key)], args))
    },
    keepUnique: (key, taskId, forMs) => keepUnique(key, taskId, Math.max(1, forMs)),
    releaseUnique: async (key, taskId) => void (await keepUnique(key, taskId, 0)),

    async reserveTurn(key, intervalMs, mostAheadMs) {
      const args = [Math.round(intervalMs * 1000), Math.round(mostAheadMs * 1000)]
      const [isReserved, wait] = (await reserveTurnScript.run(await client(), [keys.rate(key)], args)) as [
        0 | 1,
        number,
      ]
      return { isReserved: isReserved === 1, waitMs: wait / 1000 }
    },

    async takeSlot(key, holder, limit, forMs) {
      const args = [holder, limit, Math.ceil(forMs)]
      const free = Number(await takeSlotScript.run(await client(), [keys.slots(key)], args))
      return free < 0 ? undefined : free
    },
    async keepSlots(slots, forMs) {
      const redis = await client()
      const byKey = new Map<string, string[]>()
      for (const { key, holder } of slots) byKey.set(key, [...(byKey.get(key) ?? []), holder])
      const kept = [...byKey].map(([key, holders]) =>
        keepSlotsScript.run(redis, [keys.slots(key)], [Math.ceil(forMs), ...holders]),
      )
      await Promise.all(kept)
    },
    releaseSlot: async ({ key, holder }) => void (await (await client()).zrem(keys.slots(key), holder)),

    async close() {
      if (opened !== undefined) await closeRedis(opened)
    },
  }
}
