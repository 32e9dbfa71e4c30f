import { describeValue } from '../errors.js'
import { UnreadableResultError } from './errors.js'

/**
 * How results refer to tasks, `[[id, parent], null]`, and to groups, `[[id, parent], [member, …]]`; a parent is null or
 * again such a tuple (wire protocol, section 10.2).
 */
export type ResultTuple = readonly [
  head: readonly [id: string, parent: ResultTuple | null],
  members: readonly ResultTuple[] | null,
]

/** The tuple of a task without a parent. */
export function taskTuple(id: string): ResultTuple {
  return [[id, null], null]
}

/** @throws {@link UnreadableResultError} naming what is no tuple of the kind. */
export function readResultTuple(value: unknown): ResultTuple {
  if (!Array.isArray(value)) refuse('a result tuple', 'a list', value)
  const [head, members = null] = value as readonly unknown[]
  // Celery reads an id without its parent as well.
  const [id, parent = null] = Array.isArray(head) ? (head as readonly unknown[]) : [head]
  if (typeof id !== 'string' || id === '') refuse('the id of a result tuple', 'a non-empty string', id)
  if (members !== null && !Array.isArray(members)) refuse(`the members of ${id}`, 'a list or null', members)
  return [
    [id, parent === null ? null : readResultTuple(parent)],
    members === null ? null : members.map(readResultTuple),
  ]
}

function refuse(what: string, expected: string, value: unknown): never {
  throw new UnreadableResultError(`${what} must be ${expected}, got ${describeValue(value)}`)
}
