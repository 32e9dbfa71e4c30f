import { loadScript } from '../redis/script.js'
import { markRedelivered, readDeliveryInfo } from '../serialization/envelope.js'
import { priorityStep, type BrokerKeys } from './keys.js'
import type { RedisClient } from '../redis/connect.js'

const script = loadScript(new URL('./lua/put-back.lua', import.meta.url))

export interface PutBackItem {
  readonly tag: string
  readonly queue: string
  /** The envelope as it was delivered; the redelivered flags are set on the way. */
  readonly envelope: string
}

/** On what ground a message is put back; each item is, only while that still holds. */
export type PutBackClaim =
  | { readonly kind: 'held'; readonly consumerId: string }
  | { readonly kind: 'expired'; readonly consumerId: string }
  | { readonly kind: 'overdue'; readonly before: string }

const MOST_PER_CALL = 200

/**
 * Return unacked messages to the list of their priority, marked redelivered (wire protocol, section 7.3).
 *
 * @param end - `front`: read next, in the reverse order of `items`; `back`: the end of the line.
 * @returns how many were put back.
 */
export async function putBack(
  client: RedisClient,
  keys: BrokerKeys,
  prioritySteps: readonly number[],
  claim: PutBackClaim,
  end: 'front' | 'back',
  items: readonly PutBackItem[],
): Promise<number> {
  const holder = claim.kind === 'overdue' ? '' : claim.consumerId
  const subject = claim.kind === 'overdue' ? claim.before : claim.consumerId
  let total = 0
  let first = 0
  // Also without items: the script then removes the lease of a dead consumer that held nothing.
  do {
    const lists: string[] = []
    const triples: (string | number)[] = []
    for (const { tag, queue, envelope } of items.slice(first, first + MOST_PER_CALL)) {
      const list = keys.list(queue, priorityStep(prioritySteps, priorityOf(envelope)))
      if (!lists.includes(list)) lists.push(list)
      triples.push(lists.indexOf(list) + 1, tag, redelivered(envelope))
    }
    const scriptKeys = [keys.unacked, keys.unackedIndex, keys.held(holder), keys.leases, ...lists]
    total += Number(await script.run(client, scriptKeys, [claim.kind, subject, end, ...triples]))
    first += MOST_PER_CALL
  } while (first < items.length)
  return total
}

/** An envelope that cannot be read goes back as it is: whoever claims it next sets it aside. */
function redelivered(envelope: string): string {
  try {
    return markRedelivered(envelope)
  } catch {
    return envelope
  }
}

function priorityOf(envelope: string): number {
  try {
    return readDeliveryInfo(envelope).priority
  } catch {
    return 0
  }
}
