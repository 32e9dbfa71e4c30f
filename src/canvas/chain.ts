import { InvalidSignatureError } from './errors.js'
import { compose, stepsOf } from './compose.js'
import type { ErrbackReach } from './links.js'
import { chainData, isChain, isChord, isGroup, tasksOf, type SignatureData } from './signature-data.js'
import { createSignature, ownerOf, reachOf, signatureData } from './signature.js'
import type {
  AcceptedBy,
  AnySignature,
  First,
  HandleOf,
  Last,
  ResultOf,
  Steps,
  Signature,
} from './signature-types.js'

/**
 * Run signatures one after the other, each with the result of the one before in front of its arguments.
 *
 * A group that something follows becomes a chord. The result is that of the last one.
 *
 * @param steps - one by one, or a single list.
 * @throws InvalidSignatureError for what is no signature, and for nothing at all.
 */
export function chain<const S extends readonly AnySignature[]>(
  ...steps: S & Steps<S>
): Signature<AcceptedBy<First<S>>, ResultOf<Last<S>>, HandleOf<Last<S>>>
export function chain(steps: Iterable<AnySignature>): Signature<unknown>
export function chain(...given: readonly unknown[]): Signature<unknown> {
  const steps = listOf(given)
  if (steps.length === 0) throw new InvalidSignatureError('chain: expected signatures, got none')
  const data = steps.map((step, i) => signatureData(step, `chain: step ${i + 1}`))
  const owner = ownerOf(steps)
  const reach = reachOf(owner)
  const composed = compose(data, reach)
  // In Celery, what begins with a group is that, or the chord which it becomes; all else is a chain.
  const isPart = isChain(composed) || isGroup(composed) || (isChord(composed) && beginsWithGroup(data, reach))
  return createSignature(isPart ? composed : chainData([composed]), owner)
}

function beginsWithGroup(steps: readonly SignatureData[], reach: ErrbackReach): boolean {
  const [first] = steps
    .flatMap((step) => stepsOf([step], reach))
    .filter((step) => !isGroup(step) || tasksOf(step).length > 0)
  return first !== undefined && isGroup(first)
}

/** What was given one by one, or as a single list. */
export function listOf(given: readonly unknown[]): readonly unknown[] {
  const [only] = given
  const isOneList = given.length === 1 && typeof only === 'object' && only !== null && Symbol.iterator in only
  return isOneList ? [...(only as Iterable<unknown>)] : given
}
