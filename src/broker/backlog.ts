import { loadScript } from '../redis/script.js'
import type { Backlog, QueueBacklog } from './broker.js'
import type { BrokerKeys } from './keys.js'
import type { RedisClient } from '../redis/connect.js'

const script = loadScript(new URL('./lua/backlog.lua', import.meta.url))

/** See {@link Broker.backlog}. */
export async function readBacklog(
  client: RedisClient,
  keys: BrokerKeys,
  queues: readonly string[],
): Promise<Backlog> {
  const lists = queues.map((queue) => keys.lists(queue))
  const ofQueues = queues.flatMap((queue, i) => [keys.parked(queue), ...(lists[i] ?? [])])
  const reply = await script.run(client, [keys.unackedIndex, ...ofQueues], [lists[0]?.length ?? 1])
  const [seconds, micros, unacked, ...rest] = reply as Reply
  return {
    now: Number(seconds) * 1000 + Number(micros) / 1000,
    unacked,
    queues: queues.map((queue, i) => readQueue(queue, rest[2 * i] ?? [], rest[2 * i + 1] ?? [])),
  }
}

type Reply = [seconds: string, micros: string, unacked: number, ...queues: (string | number)[][]]

function readQueue(
  queue: string,
  [scheduled, eta = '', ...lengths]: readonly (string | number)[],
  tags: readonly (string | number)[],
): QueueBacklog {
  return {
    queue,
    length: lengths.reduce<number>((sum, length) => sum + Number(length), 0),
    scheduled: Number(scheduled),
    nextEta: eta === '' ? undefined : Number(eta) * 1000,
    ends: lengths.map((_, i) => ({ head: String(tags[2 * i]), tail: String(tags[2 * i + 1]) })),
  }
}
