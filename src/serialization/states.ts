/** Celery's own task states. An application may report any other text through `updateState`. */
type State =
  'PENDING' | 'RECEIVED' | 'STARTED' | 'SUCCESS' | 'FAILURE' | 'REVOKED' | 'REJECTED' | 'RETRY' | 'IGNORED'

/** States that end a task (wire protocol, section 10.3). */
const READY_STATES: ReadonlySet<string> = new Set<State>(['SUCCESS', 'FAILURE', 'REVOKED'])

/** States whose stored `result` is an exception object. */
export const EXCEPTION_STATES: ReadonlySet<string> = new Set<State>(['RETRY', 'FAILURE', 'REVOKED'])

/** Whether a task in this state has ended. */
export function isReady(state: string): boolean {
  return READY_STATES.has(state)
}
