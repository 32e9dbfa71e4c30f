import { listOf } from './chain.js'
import { groupData, isGroup, tasksOf } from './signature-data.js'
import { unchunked } from './map.js'
import { createSignature, ownerOf, signatureData } from './signature.js'
import type { AcceptedBy, AnySignature, GroupHandle, ResultsOf, Signature } from './signature-types.js'

/**
 * Run signatures at the same time, as many as there are workers for. The result is the list of their results.
 *
 * @param members - one by one, or a single list. None at all is a group, too, with an empty result.
 * @throws InvalidSignatureError for what is no signature.
 */
export function group<const S extends readonly AnySignature[]>(
  ...members: S
): Signature<AcceptedBy<S[number]>, ResultsOf<S>, GroupHandle<ResultsOf<S>>>
export function group<S extends AnySignature>(
  members: Iterable<S>,
): Signature<AcceptedBy<S>, ResultsOf<S[]>, GroupHandle<ResultsOf<S[]>>>
export function group(...given: readonly unknown[]): unknown {
  const members = listOf(given)
  const data = members.map((member, i) => unchunked(signatureData(member, `group: member ${i + 1}`)))
  const [only] = data
  const tasks = only !== undefined && data.length === 1 && isGroup(only) ? tasksOf(only) : data
  return createSignature(groupData(tasks), ownerOf(members))
}
