export interface GetOptions {
  /** Milliseconds; `Infinity` waits for as long as it takes. @default 300_000 */
  readonly timeout?: number
  /** Throw a failure; otherwise its exception object is returned. @default true */
  readonly propagate?: boolean
  /** Throw what a parent failed with rather than what that came to here: Celery's `follow_parents`. @default true */
  readonly followParents?: boolean
  readonly signal?: AbortSignal
  /** Wait also within a task, which holds its slot meanwhile. @default false */
  readonly allowInTask?: boolean
}

export const DEFAULT_GET_TIMEOUT_MS = 300_000

/** Milliseconds; undefined waits for as long as it takes. */
export function waitTimeoutMs({ timeout = DEFAULT_GET_TIMEOUT_MS }: GetOptions): number | undefined {
  return timeout === Infinity ? undefined : timeout
}
