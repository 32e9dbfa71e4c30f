import { randomUUID } from 'node:crypto'
import { loadScript } from '../redis/script.js'
import { readUnackedRecord } from './unacked.js'
import type { BrokerKeys } from './keys.js'
import type { Claim, Delivery, UnreadableElement } from './broker.js'
import type { RedisClient } from '../redis/connect.js'

const script = loadScript(new URL('./lua/claim.lua', import.meta.url))

/** What is claimed, and for whom. */
export interface ClaimRequest {
  readonly consumerId: string
  /** How long the consumer's lease has to last from now on, if it gets something. */
  readonly leaseMs: number
  readonly queues: readonly string[]
  /** Where the messages are: as many lists for each step as there are queues, the most urgent step first. */
  readonly lists: readonly string[]
  /** Whether messages whose ETA has come are wanted as well. */
  readonly withParked: boolean
  /** How many messages at most. */
  readonly limit: number
  /** How many of them to look for from the least urgent list upwards. */
  readonly lowShare: number
  /** Length of the envelopes together after which no more are taken. */
  readonly maxBytes: number
  /** Begins the tags that are made up where a message has none of its own, or one that is taken. @default a new one */
  readonly unique?: string
}

/**
 * Take messages off their lists, and record them as unacked and held by a consumer, in one step.
 *
 * @throws ReplyError where the server refuses; any other error leaves open whether it was done.
 */
export async function claimMessages(
  client: RedisClient,
  keys: BrokerKeys,
  request: ClaimRequest,
): Promise<Claim> {
  const { consumerId, queues, lists, withParked } = request
  const parked = withParked ? queues.map((queue) => keys.parked(queue)) : []
  const held = keys.held(consumerId)
  const all = [keys.unacked, keys.unackedIndex, held, ...keys.deadLetters, keys.leases, ...parked, ...lists]
  const reply = await script.run(client, all, [
    request.limit,
    request.lowShare,
    request.unique ?? randomUUID(),
    consumerId,
    request.leaseMs / 1000,
    Math.max(1, Math.min(Math.floor(request.maxBytes), Number.MAX_SAFE_INTEGER)),
    parked.length,
    ...queues,
  ])
  return readReply(reply as Reply, queues)
}

/** The first tag that a claim makes up. */
export function firstMadeUpTag(unique: string): string {
  return `${unique}-1`
}

type Reply = [nextDueSeconds: string, due: FlatTriples, fresh: FlatTriples, unreadable: (number | string)[]]
/** Queue number (from 1), tag, text; repeated. */
type FlatTriples = (number | string)[]

function readReply([nextDueSeconds, due, fresh, unreadable]: Reply, queues: readonly string[]): Claim {
  const deliveries: Delivery[] = []
  for (let i = 0; i < due.length; i += 3) {
    const text = String(due[i + 2])
    // A record that cannot be taken apart is handed on whole: it is found unreadable and set aside with its reason.
    const envelope = readUnackedRecord(text)?.envelope ?? text
    deliveries.push({ tag: String(due[i + 1]), queue: queueNumber(queues, due[i]), envelope, isDue: true })
  }
  for (let i = 0; i < fresh.length; i += 3) {
    deliveries.push({
      tag: fresh[i + 1] as string,
      queue: queueNumber(queues, fresh[i]),
      envelope: fresh[i + 2] as string,
      isDue: false,
    })
  }
  const elements: UnreadableElement[] = []
  for (let i = 0; i < unreadable.length; i += 2) {
    elements.push({ queue: queueNumber(queues, unreadable[i]), deadLetterId: String(unreadable[i + 1]) })
  }
  return {
    deliveries,
    unreadable: elements,
    nextDueMs: nextDueSeconds === '' ? undefined : Number(nextDueSeconds) * 1000,
  }
}

function queueNumber(queues: readonly string[], number: number | string | undefined): string {
  return queues[Number(number) - 1] ?? ''
}
