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

/** @param whose - `of shop.resize (3 s)` */
export function unenforced(kind: PoolKind, whose: string): string {
  return (
    `the pool ${kind} cannot end a function that blocks the event loop or ignores its signal: the hard time limit ` +
    `${whose} fails the task, and no more; a pool of threads or processes ends it`
  )
}
