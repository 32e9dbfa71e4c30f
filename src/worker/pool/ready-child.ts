import { LovageError } from '../../errors.js'
import type { Child, StartChild } from './child/child.js'
import type { FromChild } from './child/messages.js'

/** Thrown when a worker's children cannot run its tasks. */
export class PoolStartError extends LovageError {
  readonly code = 'POOL_NOT_STARTED'
}

/** What a child says once it is ready. */
export type AtWork = Extract<FromChild, { type: 'ask' | 'ended' }>

export interface ReadyChildParts {
  readonly startChild: StartChild
  /** Names of the tasks that it has to know. */
  readonly tasks: () => Iterable<string>
  readonly startTimeoutMs: number
  /** KiB beyond which a child is killed, whatever it does; undefined: any amount. */
  readonly memoryLimitKib: number | undefined
}

/**
 * Start a child.
 *
 * @returns `ready` resolves when it can run tasks, and rejects with PoolStartError where it cannot; then it is killed.
 */
export function startReadyChild(
  { startChild, tasks, startTimeoutMs, memoryLimitKib }: ReadyChildParts,
  onMessage: (message: AtWork) => void,
): { readonly child: Child; readonly ready: Promise<void> } {
  let isSettled = false
  let settle: (why?: string) => void = () => undefined
  const ready = new Promise<void>((resolve, reject) => {
    settle = (why) => {
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      if (why === undefined) return resolve()
      child.kill()
      reject(new PoolStartError(why))
    }
  })
  const tooLarge = (kib: number): string =>
    `workerHardMemoryLimit: a child of the pool takes ${Math.round(kib)} KiB before its first task, and may take ` +
    `${memoryLimitKib} KiB`
  const child = startChild((message) => {
    if (message.type === 'ready') {
      const missing = [...tasks()].filter((name) => !message.tasks.includes(name))
      if (missing.length > 0) settle(unknownTasks(missing))
      else if (memoryLimitKib === undefined) settle()
      else void child.memoryKib().then((kib = 0) => settle(kib > memoryLimitKib ? tooLarge(kib) : undefined))
    } else if (message.type === 'failed') settle(`a child of the pool cannot start: ${message.why}`)
    else onMessage(message)
  })
  const timer = setTimeout(
    () => settle(`a child of the pool was not ready after ${startTimeoutMs / 1000} s`),
    startTimeoutMs,
  )
  void child.ended.then(({ how }) => settle(`a child of the pool ended before it was ready: ${how}`))
  return { child, ready }
}

function unknownTasks(names: readonly string[]): string {
  return (
    `the children of the pool do not know ${names.join(', ')}: a child imports the module of the app and nothing ` +
    'else, so that module has to define its tasks, or import the modules that do'
  )
}
