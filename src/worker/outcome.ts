import { Ignore, Reject, Replace, Retry, type WorkerLostError } from '../app/outcomes.js'
import {
  autoretryCountdown,
  DEFAULT_MAX_RETRIES,
  endOfCountdown,
  isAutoretried,
  retriesExhausted,
} from '../app/retry.js'
import { DescribedError } from '../serialization/exceptions.js'
import type { LossCause } from '../serialization/earlier-deliveries.js'
import type { ErrorClass } from '../app/task-options.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { RegisteredTask } from '../app/registered-task.js'

/** How one execution of a task ended. */
export type Outcome =
  | { readonly kind: 'success'; readonly value: unknown; readonly children: readonly ResultTuple[] }
  | { readonly kind: 'failure'; readonly thrown: unknown; readonly children?: readonly ResultTuple[] }
  /** What ran it, a child of the pool, died. */
  | { readonly kind: 'lost'; readonly cause: LossCause; readonly thrown: WorkerLostError }
  | { readonly kind: 'retry'; readonly retry: Retry; readonly children?: readonly ResultTuple[] }
  | { readonly kind: 'replace'; readonly signature: SignatureData }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'reject'; readonly reason: string; readonly requeue: boolean }

/**
 * The one place where what a task threw becomes an outcome.
 *
 * @param children - what the task had started by then.
 */
export function outcomeOfThrown(
  task: RegisteredTask,
  retries: number,
  thrown: unknown,
  children: readonly ResultTuple[],
): Outcome {
  if (thrown instanceof Retry) return { kind: 'retry', retry: thrown, children }
  if (thrown instanceof Replace) return { kind: 'replace', signature: thrown.signature }
  if (thrown instanceof Ignore) return { kind: 'ignore' }
  if (thrown instanceof Reject) return { kind: 'reject', reason: thrown.message, requeue: thrown.requeue }
  const { options } = task
  const maxRetries = options.maxRetries === undefined ? DEFAULT_MAX_RETRIES : options.maxRetries
  if (isAutoretried(options, thrown) && !retriesExhausted(maxRetries, retries)) {
    const countdown = autoretryCountdown(options, retries, Math.random())
    const retry = new Retry(endOfCountdown(countdown), { cause: thrown })
    return { kind: 'retry', retry, children }
  }
  return { kind: 'failure', thrown, children }
}

/** One of the task's `throws`. */
export function isExpected({ options }: RegisteredTask, thrown: unknown): boolean {
  const isInstance = (type: ErrorClass): boolean =>
    thrown instanceof DescribedError ? thrown.classes.includes(type.name) : thrown instanceof type
  return options.throws?.some(isInstance) ?? false
}
