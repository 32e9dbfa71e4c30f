import type { Request } from '../request.js'
import type { Settings } from '../../app/settings.js'
import type { TimeLimits } from '../pool/pool.js'

/** The time limits of runs. */
export interface TaskTimeLimits {
  /** What the message says comes first, then what was set here, then the task, then the settings. */
  of(this: void, request: Request): TimeLimits
  /** Have other limits for a task than its own. */
  set(this: void, task: string, limits: TimeLimits): void
}

export function createTimeLimits({ taskTimeLimit, taskSoftTimeLimit }: Settings): TaskTimeLimits {
  let changed: Map<string, TimeLimits> | undefined
  return {
    of({ message, task: { name, options } }) {
      const { hard, soft } = changed?.get(name) ?? {
        hard: options.timeLimit ?? taskTimeLimit,
        soft: options.softTimeLimit ?? taskSoftTimeLimit,
      }
      return { hard: message.hardTimeLimit || hard, soft: message.softTimeLimit || soft }
    },
    set: (task, limits) => void (changed ??= new Map<string, TimeLimits>()).set(task, limits),
  }
}
