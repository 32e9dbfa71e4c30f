import { NotRegistered } from '../app/outcomes.js'
import type { LovageError } from '../errors.js'
import type { RegisteredTask, TaskLookup } from '../app/registered-task.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** What to do with one task message. Decided here, carried out by the worker. */
export type Decision =
  | { readonly kind: 'execute'; readonly task: RegisteredTask }
  | { readonly kind: 'park'; readonly until: Date }
  | { readonly kind: 'expire' }
  | { readonly kind: 'revoke' }
  | { readonly kind: 'refuse'; readonly error: LovageError }

export interface Situation {
  readonly tasks: TaskLookup
  /** Milliseconds since the Unix epoch. */
  readonly now: number
  readonly isRevoked: (message: TaskMessage) => boolean
  /** The message's ETA has come by the broker's clock. */
  readonly isDue: boolean
}

/**
 * Decide the fate of a message in the order Celery does: unknown, expired or revoked, held, run.
 *
 * A task whose ETA lies after its `expires` is parked, and found expired when decided again on coming due.
 *
 * @see Celery 5.6, `worker/strategy.py`: `default`; `worker/request.py`: `Request.revoked`
 */
export function decide(message: TaskMessage, { tasks, now, isRevoked, isDue }: Situation): Decision {
  const task = tasks.get(message.task)
  if (task === undefined) {
    return {
      kind: 'refuse',
      error: new NotRegistered(`no task ${JSON.stringify(message.task)} is registered here`),
    }
  }
  if (isExpired(message, now)) return { kind: 'expire' }
  if (isRevoked(message)) return { kind: 'revoke' }
  if (!isDue && message.eta !== undefined && message.eta.getTime() > now) {
    return { kind: 'park', until: message.eta }
  }
  return { kind: 'execute', task }
}

export function isExpired(message: TaskMessage, now: number): boolean {
  return message.expires !== undefined && now > message.expires.getTime()
}
