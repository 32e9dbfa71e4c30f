import { ResultMissingError } from '../results/errors.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { ResultTuple } from '../serialization/result-tuple.js'

/**
 * The results of a group's members in their order, groups among them as lists (wire protocol, section 11.3).
 *
 * @throws ResultMissingError where a result has expired.
 */
export async function joinGroup(backend: ResultBackend, group: ResultTuple): Promise<unknown[]> {
  const ids = leavesOf(group)
  const metas = await backend.fetchMany(ids)
  const results = new Map<string, unknown>()
  ids.forEach((id, i) => {
    const meta = metas[i]
    if (meta === undefined)
      throw new ResultMissingError(`the result of task ${id}, a part of a chord, is gone`)
    results.set(id, meta.result)
  })
  const valueOf = ([[id], members]: ResultTuple): unknown => members?.map(valueOf) ?? results.get(id)
  return (group[1] ?? []).map(valueOf)
}

function leavesOf([[id], members]: ResultTuple): string[] {
  return members === null ? [id] : members.flatMap(leavesOf)
}
