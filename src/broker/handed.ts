import { BadEnvelopeError } from '../serialization/errors.js'
import { readDeliveryInfo } from '../serialization/envelope.js'
import { claimMessages } from './claim.js'
import type { BrokerKeys } from './keys.js'
import type { Claim, Delivery, UnreadableElement } from './broker.js'
import type { Hands } from './hands.js'
import type { RedisClient } from '../redis/connect.js'

/**
 * The messages that were handed over to a consumer and are not recorded as unacked yet.
 *
 * Such a message is this consumer's alone, so its task begins at once. Most tasks end at once as well, and their message
 * is acknowledged where it is. What takes longer is recorded as unacked after `RECORD_AFTER_MS`, or when anything else is
 * to become of it. Where that fails, whoever comes next tries again.
 */
export interface Handed {
  readonly size: number
  /** Take a message that was handed over. Its tag is a makeshift until it is recorded. */
  accept(envelope: string, queue: string): Delivery
  /** Acknowledge those deliveries that are not recorded. @returns the others. @throws as Redis' commands */
  ack(deliveries: readonly Delivery[]): Promise<readonly Delivery[]>
  /**
   * Resolves when all are recorded.
   *
   * @throws as {@link claimMessages}
   */
  recorded(): Promise<void>
  /** Claim what was handed over, and accepted by nobody. @throws as {@link claimMessages} */
  collect(): Promise<void>
  /** What else was found in the meantime; once. Not while a message may be on its way. */
  takeRest(): Claim | undefined
}

const RECORD_AFTER_MS = 5
/** There are one or two, unless replies were lost. */
const MOST = 100

type Draft = { -readonly [Member in keyof Delivery]: Delivery[Member] }

export interface HandedOptions {
  readonly client: RedisClient
  readonly keys: BrokerKeys
  readonly consumerId: string
  readonly queues: readonly string[]
  readonly leaseMs: number
  readonly hands: Hands
}

export function createHanded(options: HandedOptions): Handed {
  const { client, keys, consumerId, leaseMs, hands } = options
  const list = keys.handed(consumerId)
  const unrecorded = new Set<Draft>()
  let accepted = 0
  let recording: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  /** The reply to an earlier attempt was lost, which may have recorded some without this consumer's knowing. */
  let isRepeated = false
  /** What was recorded with the others, and is not accepted, or not yet: its hand-over may still be on its way here. */
  let rest: Delivery[] = []
  let unreadable: UnreadableElement[] = []

  const claim = async (): Promise<Claim> => {
    const found = await claimMessages(client, keys, {
      consumerId,
      leaseMs,
      // For what says nothing of its own.
      queues: options.queues.slice(0, 1),
      lists: [list],
      withParked: false,
      limit: MOST,
      lowShare: 0,
      maxBytes: Infinity,
    }).catch((error: unknown) => {
      isRepeated = true
      throw error
    })
    hands.take(found.deliveries)
    if (!isRepeated) return found
    hands.suspect()
    const recovered = await hands.recover(MOST)
    isRepeated = false
    return { ...found, deliveries: [...found.deliveries, ...recovered] }
  }

  const record = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const asked = [...unrecorded]
    const found = await claim()
    const others: Delivery[] = []
    for (const each of found.deliveries) {
      const known = [...unrecorded].find(({ envelope }) => envelope === each.envelope)
      if (known === undefined) {
        others.push({ ...each, queue: routingKeyOf(each.envelope) ?? each.queue })
        continue
      }
      unrecorded.delete(known)
      hands.letGo([known.tag])
      known.tag = each.tag
      hands.take([known])
    }
    // Those that were not found are somebody else's by now, or no messages at all.
    for (const each of asked) unrecorded.delete(each)
    hands.take(others)
    rest.push(...others)
    unreadable.push(...found.unreadable)
  }

  const recordOnce = (): Promise<void> =>
    (recording ??= record().finally(() => {
      recording = undefined
    }))

  const recorded = async (): Promise<void> => {
    // What is under way may have begun before the latest was accepted.
    while (unrecorded.size > 0) await recordOnce()
  }

  return {
    get size() {
      return unrecorded.size
    },

    accept(envelope, queue) {
      const early = rest.find((each) => each.envelope === envelope)
      if (early !== undefined) {
        rest = rest.filter((each) => each !== early)
        return early
      }
      const delivery: Draft = { tag: `handed-${++accepted}`, queue, envelope, isDue: false }
      hands.take([delivery])
      unrecorded.add(delivery)
      // Whoever does something with the delivery meets its failure.
      timer ??= setTimeout(() => void recorded().catch(() => undefined), RECORD_AFTER_MS)
      return delivery
    },

    async ack(deliveries) {
      if (unrecorded.size === 0) return deliveries
      while (recording !== undefined) await recording
      const here = deliveries.filter((each) => unrecorded.has(each))
      if (here.length === 0) return deliveries
      for (const each of here) unrecorded.delete(each)
      try {
        await Promise.all(here.map(({ envelope }) => client.lrem(list, 1, envelope)))
      } catch (error) {
        for (const each of here) unrecorded.add(each)
        throw error
      }
      if (unrecorded.size === 0) {
        clearTimeout(timer)
        timer = undefined
      }
      return deliveries.filter((each) => !here.includes(each))
    },

    recorded,

    collect: recordOnce,

    takeRest() {
      if (rest.length === 0 && unreadable.length === 0) return undefined
      const found = { deliveries: rest, unreadable, nextDueMs: 0 }
      rest = []
      unreadable = []
      return found
    },
  }
}

/** Which is the queue, where the exchange is anonymous; undefined where the text does not say. */
function routingKeyOf(envelope: string): string | undefined {
  try {
    return readDeliveryInfo(envelope).routingKey
  } catch (error) {
    if (!(error instanceof BadEnvelopeError)) throw error
    return undefined
  }
}
