import { AsyncLocalStorage } from 'node:async_hooks'
import { GetInsideTaskError } from './errors.js'

const running = new AsyncLocalStorage<true>()

/** Call a task's function, so that what it waits for can be told from what the rest of the program waits for. */
export function insideTask<T>(run: () => T): T {
  return running.run(true, run)
}

/** @throws {@link GetInsideTaskError} within a task, unless allowed. */
export function refuseInsideTask({ allowInTask = false }: { readonly allowInTask?: boolean }): void {
  if (!allowInTask && running.getStore() === true) throw new GetInsideTaskError()
}
