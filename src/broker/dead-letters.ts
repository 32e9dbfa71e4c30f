import { z } from 'zod'
import { forgetLosses } from '../serialization/earlier-deliveries.js'
import { readDeliveryInfo } from '../serialization/envelope.js'
import { ready, type RedisClient } from '../redis/connect.js'
import { loadScript, type ScriptArgument } from '../redis/script.js'
import { describeDeadLetter, filterOf, fits, isEmpty } from './dead-letter.js'
import { priorityStep, type BrokerKeys } from './keys.js'
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterLimits,
  DeadLetterReason,
  DeadLetters,
} from './broker.js'

const retryScript = loadScript(new URL('./lua/retry-dead.lua', import.meta.url))
const trimScript = loadScript(new URL('./lua/trim-dead.lua', import.meta.url))

/** What is kept beside the element, as JSON. */
export function deadLetterInformation(queue: string, worker: string, reason: DeadLetterReason): string {
  return JSON.stringify({ code: reason.code, message: reason.message, queue, worker })
}

const information = z.object({
  code: z.string(),
  message: z.string(),
  queue: z.string(),
  worker: z.string().optional(),
})

/** Ids in one command that returns nothing but them. */
const IDS_AT_ONCE = 1000
/** Whole messages in one command. */
const LETTERS_AT_ONCE = 50
/** With each new dead letter; more would hold up the server when a limit was lowered. */
const MOST_TRIMMED = 100

/** Drop what is too old or too many, oldest first. To be called when new ones have come. @returns how many. */
export async function trimDeadLetters(
  client: RedisClient,
  keys: BrokerKeys,
  { maxCount, expiresSeconds }: DeadLetterLimits,
): Promise<number> {
  return Number(await trimScript.run(client, keys.deadLetters, [maxCount, expiresSeconds, MOST_TRIMMED]))
}

/** Messages that could not be worked, in Redis: an index by time, and two hashes by id. None of them expires. */
export function redisDeadLetters(
  client: RedisClient,
  keys: BrokerKeys,
  prioritySteps: readonly number[],
): DeadLetters {
  const [index, elements, informationKey] = keys.deadLetters

  const read = async (ids: readonly string[]): Promise<DeadLetter[]> => {
    if (ids.length === 0) return []
    const [envelopes, informations, times] = await Promise.all([
      client.hmget(elements, ...ids),
      client.hmget(informationKey, ...ids),
      client.zmscore(index, ...ids),
    ])
    return ids.flatMap((id, i): DeadLetter[] => {
      const [envelope, text, time] = [envelopes[i], informations[i], times[i]]
      if (typeof envelope !== 'string' || typeof text !== 'string' || !time) return []
      const { worker, ...told } = information.parse(JSON.parse(text))
      return [describeDeadLetter({ id, envelope, ...told, worker, diedAt: new Date(Number(time) * 1000) })]
    })
  }

  /** Taken before anything is removed, since every removal shifts the rest. */
  const allIds = async (order: Order): Promise<string[]> => {
    const ids = new Set<string>()
    for (let first = 0; ; first += IDS_AT_ONCE) {
      const some = await client.zrevrange(index, first, first + IDS_AT_ONCE - 1)
      for (const id of some) ids.add(id)
      if (some.length < IDS_AT_ONCE) break
    }
    return order === 'newest first' ? [...ids] : [...ids].reverse()
  }

  async function* select(filter: DeadLetterFilter, order: Order): AsyncGenerator<DeadLetter[]> {
    await ready(client)
    const ids = filter.ids ?? (await allIds(order))
    for (let first = 0; first < ids.length; first += LETTERS_AT_ONCE) {
      const letters = await read(ids.slice(first, first + LETTERS_AT_ONCE))
      yield letters.filter((letter) => fits(letter, filter))
    }
  }

  const purge = async (ids: readonly string[]): Promise<number> => {
    const replies = await client
      .multi()
      .hdel(elements, ...ids)
      .hdel(informationKey, ...ids)
      .zrem(index, ...ids)
      .exec()
    return Number(replies?.[0]?.[1] ?? 0)
  }

  const retry = async (letters: readonly DeadLetter[]): Promise<number> => {
    // As bytes, each for a character: an element need not be text.
    const found = await client.hmgetBuffer(elements, ...letters.map(({ id }) => id))
    const lists: string[] = []
    const triples = letters.flatMap(({ id, queue }, i): ScriptArgument[] => {
      const element = found[i]?.toString('latin1')
      if (element === undefined) return []
      const { step, fresh } = anew(element, prioritySteps)
      const list = keys.list(queue, step)
      if (!lists.includes(list)) lists.push(list)
      return [id, lists.indexOf(list) + 1, Buffer.from(fresh, 'latin1')]
    })
    return Number(await retryScript.run(client, [...keys.deadLetters, ...lists], triples))
  }

  const sumOver = async (
    filter: DeadLetterFilter,
    action: (letters: readonly DeadLetter[]) => Promise<number>,
  ): Promise<number> => {
    let total = 0
    for await (const letters of select(filter, 'oldest first')) {
      if (letters.length > 0) total += await action(letters)
    }
    return total
  }

  const purgeAll = async (): Promise<number> => {
    await ready(client)
    const replies = await client.multi().hlen(elements).del(index, elements, informationKey).exec()
    return Number(replies?.[0]?.[1] ?? 0)
  }

  return {
    async count() {
      await ready(client)
      return client.zcard(index)
    },
    async list({ limit = 100, offset = 0, ...filter } = {}) {
      if (isEmpty(filter)) {
        await ready(client)
        return read(await client.zrevrange(index, offset, offset + limit - 1))
      }
      const fitting: DeadLetter[] = []
      for await (const letters of select(filter, 'newest first')) {
        fitting.push(...letters)
        if (fitting.length >= offset + limit) break
      }
      return fitting.slice(offset, offset + limit)
    },
    async get(id) {
      await ready(client)
      return (await read([id]))[0]
    },
    retry: async (selection) => sumOver(filterOf(selection), retry),
    async purge(selection) {
      const filter = filterOf(selection)
      if (isEmpty(filter)) return purgeAll()
      return sumOver(filter, (letters) => purge(letters.map(({ id }) => id)))
    },
  }
}

type Order = 'newest first' | 'oldest first'

/** What is to be pushed, and where; an element that is no message goes as it is. */
function anew(element: string, prioritySteps: readonly number[]): { step: number; fresh: string } {
  try {
    const step = priorityStep(prioritySteps, readDeliveryInfo(element).priority)
    return { step, fresh: forgetLosses(element) }
  } catch {
    return { step: priorityStep(prioritySteps, 0), fresh: element }
  }
}
