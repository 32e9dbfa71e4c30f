import { fromTuple } from '../results/async-result.js'
import { joinAll } from '../results/joining.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { ResultTuple } from '../serialization/result-tuple.js'

/**
 * The results of a group's members in their order, groups among them as lists (wire protocol, section 11.3). They are
 * there as a rule: a result is stored before its part is recorded.
 *
 * @throws TimeoutError where some are not there in time: they have expired, or their tasks keep none.
 */
export function joinGroup(backend: ResultBackend, group: ResultTuple, timeoutMs: number): Promise<unknown[]> {
  const members = (group[1] ?? []).map((member) => fromTuple(member, backend))
  return joinAll(backend, members, { propagate: true, timeoutMs })
}
