import { BadEnvelopeError } from '../serialization/errors.js'
import { loadScript } from '../redis/script.js'
import { countLoss, keepCount, markBegun, type LossCause } from '../serialization/earlier-deliveries.js'
import { readDeliveryInfo } from '../serialization/envelope.js'
import { priorityStep, type BrokerKeys } from './keys.js'
import { workerOf } from './worker-of.js'
import type { RedisClient } from '../redis/connect.js'

const script = loadScript(new URL('./lua/put-back.lua', import.meta.url))

export interface PutBackItem {
  readonly tag: string
  readonly queue: string
  /** The envelope as it was delivered; it is marked and counted on the way. */
  readonly envelope: string
}

/**
 * On what ground a message is put back; each item is, only while that still holds. All count as a loss, but for what a
 * worker hands back by itself: `released` before its task began, `begun` at a stop that ends it.
 */
export type PutBackClaim =
  | { readonly kind: 'released' | 'begun' | 'requeued'; readonly consumerId: string }
  | { readonly kind: 'lost'; readonly consumerId: string; readonly cause: LossCause }
  | { readonly kind: 'expired'; readonly consumerId: string }
  | { readonly kind: 'overdue'; readonly before: string }

const MOST_PER_CALL = 200

/**
 * Return unacked messages to the list of their priority, marked redelivered (wire protocol, section 7.3) unless their
 * task has not begun.
 *
 * They are read next, in the reverse order of `items`; one that is requeued goes to the end of the line.
 *
 * @returns how many were put back.
 */
export async function putBack(
  client: RedisClient,
  keys: BrokerKeys,
  prioritySteps: readonly number[],
  claim: PutBackClaim,
  items: readonly PutBackItem[],
): Promise<number> {
  const holder = claim.kind === 'overdue' ? '' : claim.consumerId
  const subject = claim.kind === 'overdue' ? claim.before : claim.consumerId
  const ground = claim.kind === 'overdue' || claim.kind === 'expired' ? claim.kind : 'held'
  const end = claim.kind === 'requeued' ? 'back' : 'front'
  let total = 0
  let first = 0
  // Also without items: the script then removes the lease of a dead consumer that held nothing.
  do {
    const lists: string[] = []
    const triples: (string | number)[] = []
    for (const { tag, queue, envelope } of items.slice(first, first + MOST_PER_CALL)) {
      const list = keys.list(queue, priorityStep(prioritySteps, priorityOf(envelope)))
      if (!lists.includes(list)) lists.push(list)
      triples.push(lists.indexOf(list) + 1, tag, returned(envelope, claim))
    }
    const scriptKeys = [keys.unacked, keys.unackedIndex, keys.held(holder), keys.leases, ...lists]
    total += Number(await script.run(client, scriptKeys, [ground, subject, end, ...triples]))
    first += MOST_PER_CALL
  } while (first < items.length)
  return total
}

/** An envelope that cannot be read goes back as it is: whoever claims it next sets it aside. */
function returned(envelope: string, claim: PutBackClaim): string {
  const at = new Date()
  try {
    switch (claim.kind) {
      case 'released':
        return envelope
      case 'begun':
        return keepCount(envelope)
      case 'lost':
        return countLoss(markBegun(envelope), {
          at,
          cause: claim.cause,
          worker: workerOf(claim.consumerId),
        })
      case 'requeued':
        return countLoss(envelope, { at, cause: 'REQUEUED', worker: workerOf(claim.consumerId) })
      case 'expired':
        return countLoss(envelope, { at, cause: 'WORKER_LOST', worker: workerOf(claim.consumerId) })
      case 'overdue':
        return countLoss(envelope, { at, cause: 'VISIBILITY_TIMEOUT' })
    }
  } catch (error) {
    if (!(error instanceof BadEnvelopeError)) throw error
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
