import type { RevokeTasks } from './revoking.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { Chords } from './chords.js'

/** One state to store. `text` is the meta as JSON (or another result serializer's output), ready to write. */
export interface StoredResult {
  readonly taskId: string
  readonly text: string | Uint8Array
  /** Seconds; 0 keeps it for ever (Celery's `result_expires`). */
  readonly expiresSeconds: number
}

export interface WaitOptions {
  /** Milliseconds; undefined waits for as long as it takes. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface StoreOptions {
  /**
   * `exceed` stores also where the backend is out of memory: for results whose acknowledgement is going to free more
   * than they take. @default 'respect'
   */
  readonly memoryLimit?: 'respect' | 'exceed'
}

/** Remembers what became of tasks (wire protocol, section 10). */
export interface ResultBackend {
  readonly url: string
  /** False for the backend that forgets everything, Celery's default without `result_backend`. */
  readonly keepsResults: boolean
  /**
   * Store and publish. A stored SUCCESS is not overwritten.
   *
   * @throws ResultBackendFullError, ResultRefusedError where trying again would not help, or what the connection says.
   */
  store(results: readonly StoredResult[], options?: StoreOptions): Promise<void>
  /** Undefined where nothing is stored: PENDING, or unknown. */
  fetch(taskId: string): Promise<ResultMeta | undefined>
  /** The same for many, in their order and in few round trips. */
  fetchMany(taskIds: readonly string[]): Promise<(ResultMeta | undefined)[]>
  forget(taskIds: readonly string[]): Promise<void>
  /**
   * Resolves with the meta as soon as its state is ready (SUCCESS, FAILURE, REVOKED).
   *
   * @throws TimeoutError when `timeoutMs` is over; the signal's reason when it aborts.
   */
  wait(taskId: string, options?: WaitOptions): Promise<ResultMeta>
  /** Every state stored from now on, the present one first; ends after a ready state. */
  updates(taskId: string, options?: WaitOptions): AsyncIterable<ResultMeta>
  /** Remember which tasks a group is made of, for as long as results are kept (wire protocol, section 11.1). */
  saveGroup(groupId: string, group: ResultTuple): Promise<void>
  /** Undefined where the group was never saved, or is forgotten. @throws UnreadableResultError */
  restoreGroup(groupId: string): Promise<ResultTuple | undefined>
  deleteGroup(groupId: string): Promise<void>
  readonly chords: Chords
  /** Of the app whose results these are; undefined where there is none. */
  readonly revokeTasks?: RevokeTasks
  ping(timeoutMs: number): Promise<number>
  close(): Promise<void>
}
