import { canReadMemory } from './child/process-child.js'
import { canReadThreadMemory } from './child/thread-memory.js'
import type { Log } from '../../log.js'
import type { PoolKind } from '../../app/worker-options.js'
import type { RegisteredTask } from '../../app/registered-task.js'
import type { Settings } from '../../app/settings.js'

export interface LimitedTasks {
  readonly settings: Settings
  readonly tasks: ReadonlyMap<string, RegisteredTask>
  readonly log: Log
}

const MOST_NAMED = 5

/** Say at the start whose hard time limits a pool on the event loop does not keep by force; nothing where there are none. */
export function warnOfHardLimits(kind: PoolKind, { settings, tasks, log }: LimitedTasks): void {
  const { taskTimeLimit } = settings
  const limited = [...tasks.values()].flatMap(({ name, options }) =>
    options.timeLimit ? [`${name} (${options.timeLimit} s)`] : [],
  )
  const named = [...(taskTimeLimit ? [`all tasks (${taskTimeLimit} s)`] : []), ...limited]
  if (named.length === 0) return
  const others = named.length > MOST_NAMED ? ` and ${named.length - MOST_NAMED} others` : ''
  log.warn({ pool: kind }, unenforced(kind, `of ${named.slice(0, MOST_NAMED).join(', ')}${others}`))
}

/** Say at the start how far a pool cannot keep the hard limit of memory; nothing where it can, or where there is none. */
export function warnOfMemoryLimit(kind: PoolKind, { settings, log }: LimitedTasks): void {
  if (settings.workerHardMemoryLimit === undefined) return
  const why = {
    async: 'tasks share the memory of the worker; a pool of threads or processes limits it',
    solo: 'tasks share the memory of the worker; a pool of threads or processes limits it',
    threads: canReadThreadMemory
      ? undefined
      : 'before Node.js 22.16, a thread, or a process without an inspector, is not told what its threads have: V8 ' +
        'limits their heaps instead, and not what is beside these, such as a Buffer',
    processes: canReadMemory
      ? undefined
      : 'on this system only the JavaScript heap of a process counts, and not what is beside it, such as a Buffer',
  }[kind]
  if (why !== undefined) log.warn({ pool: kind }, `workerHardMemoryLimit cannot be enforced in full: ${why}`)
}

/** @param whose - `of shop.resize (3 s)` */
export function unenforced(kind: PoolKind, whose: string): string {
  return (
    `the pool ${kind} cannot end a function that blocks the event loop or ignores its signal: the hard time limit ` +
    `${whose} fails the task, and no more; a pool of threads or processes ends it`
  )
}
