/** Celery's own task states. An application may report any other text through `updateState`. */
export type State =
  'PENDING' | 'RECEIVED' | 'STARTED' | 'SUCCESS' | 'FAILURE' | 'REVOKED' | 'REJECTED' | 'RETRY' | 'IGNORED'

/** States that end a task (wire protocol, section 10.3). */
export const READY_STATES: ReadonlySet<string> = new Set<State>(['SUCCESS', 'FAILURE', 'REVOKED'])

/** States that do not end a task. */
export const UNREADY_STATES: ReadonlySet<string> = new Set<State>([
  'PENDING',
  'RECEIVED',
  'STARTED',
  'REJECTED',
  'RETRY',
])

/** States whose stored `result` is an exception object. */
export const EXCEPTION_STATES: ReadonlySet<string> = new Set<State>(['RETRY', 'FAILURE', 'REVOKED'])

/** States whose exception reaches who asks for the result. */
export const PROPAGATE_STATES: ReadonlySet<string> = new Set<State>(['FAILURE', 'REVOKED'])

/** Most telling first; `null` stands for every state of an application's own. */
const PRECEDENCE: readonly (State | null)[] = [
  'SUCCESS',
  'FAILURE',
  null,
  'REVOKED',
  'STARTED',
  'RECEIVED',
  'REJECTED',
  'RETRY',
  'PENDING',
]

/** Whether a task in this state has ended. */
export function isReady(state: string): boolean {
  return READY_STATES.has(state)
}

/**
 * Rank of a state when reports about one task arrive out of order: the lowest number wins.
 *
 * @see Celery 5.6, `celery/states.py`: `precedence`
 */
export function precedence(state: string): number {
  const rank = (PRECEDENCE as readonly (string | null)[]).indexOf(state)
  return rank === -1 ? PRECEDENCE.indexOf(null) : rank
}
