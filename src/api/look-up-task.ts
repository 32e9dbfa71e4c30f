import { isReady } from '../serialization/states.js'
import { TimeoutError, type ResultMeta } from '../index.js'
import type { ResultBackend } from '../results/result-backend.js'

export interface LookUpOptions {
  /** Milliseconds to wait for the task's end; 0 does not wait. */
  readonly waitMs: number
  /** Ends the wait early, with what is known then. */
  readonly signal: AbortSignal
}

/**
 * What is stored of a task, at its end or when the wait is over; undefined where nothing is.
 *
 * @throws ResultBackendDisabledError, RedisUnavailableError
 */
export async function lookUpTask(
  backend: ResultBackend,
  taskId: string,
  { waitMs, signal }: LookUpOptions,
): Promise<ResultMeta | undefined> {
  const meta = await backend.fetch(taskId)
  if (waitMs <= 0 || (meta !== undefined && isReady(meta.status))) return meta
  try {
    return await backend.wait(taskId, { timeoutMs: waitMs, signal })
  } catch (error) {
    if (!(error instanceof TimeoutError) && !signal.aborted) throw error
    return backend.fetch(taskId)
  }
}
