import { TimeoutError } from '../errors.js'
import { isReady } from '../serialization/states.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { WaitOptions } from './result-backend.js'

/**
 * Calls `listener` with the stored meta, if there is one, and with every one stored from then on, until the
 * returned function is called.
 */
export type Watch = (taskId: string, listener: (meta: ResultMeta) => void) => () => void

/** `setTimeout` overflows past this and would fire at once. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** Resolves with the first meta whose state is ready. @throws TimeoutError, or the signal's reason. */
export function waitUntilReady(watch: Watch, taskId: string, options: WaitOptions = {}): Promise<ResultMeta> {
  const { timeoutMs, signal } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error)
      return
    }
    let timer: NodeJS.Timeout | undefined
    const stop = watch(taskId, (meta) => {
      if (!isReady(meta.status)) return
      finish()
      resolve(meta)
    })
    const onAbort = (): void => {
      finish()
      reject(signal?.reason as Error)
    }
    const finish = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      stop()
    }
    if (timeoutMs !== undefined) {
      timer = setTimeout(
        () => {
          finish()
          reject(new TimeoutError(`task ${taskId} was not ready within ${timeoutMs} ms`))
        },
        Math.min(timeoutMs, LONGEST_TIMEOUT_MS),
      )
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Every meta as it is stored, ending after a ready one. @throws TimeoutError, or the signal's reason. */
export async function* streamUpdates(
  watch: Watch,
  taskId: string,
  options: WaitOptions = {},
): AsyncGenerator<ResultMeta, void, undefined> {
  const { timeoutMs, signal } = options
  const pending: ResultMeta[] = []
  let wake: (() => void) | undefined
  let isTimedOut = false
  const stop = watch(taskId, (meta) => {
    pending.push(meta)
    wake?.()
  })
  const onAbort = (): void => wake?.()
  signal?.addEventListener('abort', onAbort)
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          isTimedOut = true
          wake?.()
        }, timeoutMs)
  try {
    for (;;) {
      const meta = pending.shift()
      if (meta !== undefined) {
        yield meta
        if (isReady(meta.status)) return
        continue
      }
      signal?.throwIfAborted()
      if (isTimedOut) throw new TimeoutError(`task ${taskId} was not ready within ${timeoutMs} ms`)
      await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    stop()
  }
}
