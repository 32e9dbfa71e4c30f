/**
 * How long to wait before the next attempt: any time up to a limit that doubles with each failure ("full jitter").
 *
 * Those that failed in the same moment, such as all clients of a server that went away, thereby come back spread over
 * the whole of that time, rather than all at once.
 *
 * @param attempt - 1 after the first failure.
 * @param limits - Milliseconds: the limit after the first failure, and the one that is not exceeded.
 */
export function fullJitterMs(
  attempt: number,
  limits: { readonly firstMs: number; readonly longestMs: number },
): number {
  const limit = Math.min(limits.longestMs, limits.firstMs * 2 ** Math.min(attempt - 1, 30))
  return Math.round(Math.random() * limit)
}
