import { setTimeout as sleep } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Milliseconds until it gives up. @default 10000 */
  readonly timeoutMs?: number
  /** Milliseconds between two looks. @default 20 */
  readonly intervalMs?: number
}

/**
 * Wait until `check` returns something truthy, and return that: for what happens in another process, where there
 * is no event to await. A `check` that throws has not come true yet. For an `expect`, which returns nothing, there
 * is Vitest's own `vi.waitFor`.
 *
 * @throws What `check` threw last, or an error that names the limit.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 20 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let fault: unknown
  do {
    try {
      const value = await check()
      if (value) return value
      fault = undefined
    } catch (error) {
      fault = error
    }
    await sleep(intervalMs)
  } while (performance.now() < deadline)
  throw fault instanceof Error ? fault : new Error(`not within ${timeoutMs} ms: ${check.toString()}`)
}
