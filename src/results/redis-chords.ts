import { ready, type RedisClient } from '../redis/connect.js'
import { loadScript } from '../redis/script.js'
import { parseChordPart, type ReturnedPart } from '../serialization/chord-part.js'
import type { Serializer } from '../serialization/serializers.js'
import type { ChordPart, Chords, ChordStanding } from './chords.js'
import type { ChordKeys } from './keys.js'

const partScript = loadScript(new URL('./lua/chord-part.lua', import.meta.url))
const extendScript = loadScript(new URL('./lua/chord-extend.lua', import.meta.url))

export interface RedisChordsOptions {
  readonly open: () => RedisClient
  readonly keysOf: (groupId: string) => ChordKeys
  /** Seconds for which results are kept; 0 for ever. */
  readonly expiresSeconds: number
  /** Celery's `result_chord_ordered`. */
  readonly isOrdered: boolean
  readonly serializer: Serializer | undefined
}

/** However short results are kept: the parts of a chord have to last until the slowest of them. */
const LEAST_SECONDS = 86_400
/** How many parts one command reads. */
const PARTS_AT_ONCE = 1000

/**
 * Chords on Redis, in Celery's keys.
 *
 * Whether a part was the last is known from its count and the size, which are in different slots of a cluster, so they
 * are not read in one step: the count is taken as the part is recorded, the size after that. Nothing gets lost between:
 * the size is written before the last part is sent, and is added to before the part that adds to it returns. What
 * must happen once, becoming the sender of the body, is one step.
 */
export function createRedisChords(options: RedisChordsOptions): Chords {
  const { open, keysOf, expiresSeconds, serializer } = options
  const ttl = expiresSeconds > 0 ? Math.max(Math.floor(expiresSeconds), LEAST_SECONDS) : 0
  // Our own keys always go at some time: nobody else would know what they are.
  const ownTtl = ttl || LEAST_SECONDS
  const form = options.isOrdered ? 'zset' : 'list'
  /** Whether anybody here asks for links of spans: else there is nothing to forget of them. */
  let hasTraces = false

  const client = async (): Promise<RedisClient> => {
    const opened = open()
    await ready(opened)
    return opened
  }

  const addPartsOfOne = async (
    redis: RedisClient,
    groupId: string,
    parts: readonly ChordPart[],
  ): Promise<ChordStanding[]> => {
    const keys = keysOf(groupId)
    const fields = parts.flatMap(({ groupIndex, taskId, status, text }) => [
      groupIndex ?? '+inf',
      taskId,
      status,
      typeof text === 'string' ? text : Buffer.from(text),
    ])
    const traces = parts.flatMap(({ taskId, trace }) => (trace === undefined ? [] : [taskId, trace]))
    if (traces.length > 0) {
      hasTraces = true
      await Promise.all([redis.hset(keys.traces, ...traces), redis.expire(keys.traces, ownTtl)])
    }
    const counts = await partScript.run(
      redis,
      [keys.parts, keys.sender, keys.places],
      [form, ttl, ownTtl, ...fields],
    )
    if (counts === null) return parts.map(() => 'over')
    const [size, added] = await Promise.all([
      redis.get(keys.size),
      redis.get(keys.added),
      ...(ttl > 0 ? [redis.expire(keys.size, ttl), redis.expire(keys.added, ttl)] : []),
    ])
    const standings: ChordStanding[] = []
    for (const [i, { taskId, chordSize }] of parts.entries()) {
      const expected = size === null ? chordSize : Number(size)
      const isComplete = expected !== undefined && (counts as number[])[i] === expected + Number(added)
      standings.push(isComplete ? await standingOfLast(redis, keys, taskId) : 'waiting')
    }
    return standings
  }

  /** Of those whose part made the chord complete, or finds it so, the first becomes the sender and stays it. */
  const standingOfLast = async (
    redis: RedisClient,
    { sender }: ChordKeys,
    taskId: string,
  ): Promise<ChordStanding> => {
    const own = `sending ${taskId}`
    const [, found] = await Promise.all([redis.set(sender, own, 'EX', ownTtl, 'NX'), redis.get(sender)])
    if (found === own) return 'last'
    return found === 'sent' ? 'over' : 'waiting'
  }

  const readAll = async (redis: RedisClient, key: string): Promise<Buffer[]> => {
    const isList = (await redis.type(key)) === 'list'
    const all: Buffer[] = []
    for (;;) {
      const [first, last] = [all.length, all.length + PARTS_AT_ONCE - 1]
      const some = await (isList
        ? redis.lrangeBuffer(key, first, last)
        : redis.zrangeBuffer(key, String(first), String(last)))
      all.push(...some)
      if (some.length < PARTS_AT_ONCE) return all
    }
  }

  return {
    async start(groupId, size) {
      const redis = await client()
      const key = keysOf(groupId).size
      await (ttl > 0 ? redis.set(key, size, 'EX', ttl) : redis.set(key, size))
      await redis.publish(key, String(size))
    },

    async extend(groupId, taskIds) {
      if (taskIds.length === 0) return
      const { added, addedIds } = keysOf(groupId)
      await extendScript.run(await client(), [added, addedIds], [ttl, ...taskIds])
    },

    async addParts(parts) {
      const redis = await client()
      const standings = new Map<ChordPart, ChordStanding>()
      const addSome = async ([groupId, some]: [string, ChordPart[]]): Promise<void> => {
        const found = await addPartsOfOne(redis, groupId, some)
        for (const [i, part] of some.entries()) standings.set(part, found[i] ?? 'waiting')
      }
      await Promise.all([...byGroup(parts)].map(addSome))
      return parts.map((part) => standings.get(part) ?? 'waiting')
    },

    async parts(groupId): Promise<ReturnedPart[]> {
      const texts = await readAll(await client(), keysOf(groupId).parts)
      return texts.map((text) => parseChordPart(text, serializer))
    },

    async traces(groupId, taskIds) {
      if (taskIds.length === 0) return []
      hasTraces = true
      const found = await (await client()).hmget(keysOf(groupId).traces, ...taskIds)
      return found.filter((trace) => trace !== null)
    },

    async end(groupId) {
      const redis = await client()
      const { parts, places, size, added, addedIds, sender, traces } = keysOf(groupId)
      await redis.set(sender, 'sent', 'EX', ownTtl)
      const own = hasTraces ? [traces] : []
      await Promise.all([parts, places, size, added, addedIds, ...own].map((key) => redis.del(key)))
    },
  }
}

function byGroup(parts: readonly ChordPart[]): Map<string, ChordPart[]> {
  const groups = new Map<string, ChordPart[]>()
  for (const part of parts) {
    const others = groups.get(part.groupId)
    if (others === undefined) groups.set(part.groupId, [part])
    else others.push(part)
  }
  return groups
}
