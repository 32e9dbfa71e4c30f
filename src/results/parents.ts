import { tasksIn, type ResultNode } from './joining.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { ResultBackend } from './result-backend.js'

/**
 * The first failure on the way to a result: from its first parent on, in a group by the order of its members. What
 * follows a failure has at most a copy of it, or an error that tells of it.
 *
 * @see Celery 5.6, `result.py`: `AsyncResult._maybe_reraise_parent_error`
 */
export async function failureBefore(
  parent: ResultNode | undefined,
  backend: ResultBackend,
): Promise<ResultMeta | undefined> {
  const parents: ResultNode[] = []
  for (let node = parent; node !== undefined; node = node.parent) parents.push(node)
  if (parents.length === 0) return undefined
  const tasks = await tasksIn(parents.reverse())
  const metas = await backend.fetchMany(tasks.map(({ id }) => id))
  return metas.find((meta) => meta?.status === 'FAILURE' || meta?.status === 'REVOKED')
}
