import type { ExceptionObject } from '../serialization/exceptions.js'
import type { Revocation } from '../events/task-fields.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** How a message was done with, for those who watch. */
export type TaskEnd =
  | { readonly kind: 'succeeded'; readonly value: unknown; readonly runtimeSeconds: number }
  | Failure<'failed'>
  | Failure<'retried'>
  | ({ readonly kind: 'revoked' } & Revocation)
  | { readonly kind: 'rejected'; readonly requeue: boolean }

interface Failure<Kind extends string> {
  readonly kind: Kind
  /** Undefined: a retry for no other reason than that the task asked for it. */
  readonly exception: ExceptionObject | undefined
  readonly traceback: string | undefined
}

/**
 * Is told what becomes of messages: events, metrics. Unlike an observer's listeners these are none of the user's, hold
 * nothing up, and learn of an end when it is recorded: whoever hears of it finds the result.
 */
export interface TaskMonitor {
  received(this: void, message: TaskMessage): void
  started(this: void, message: TaskMessage): void
  /** @returns what is to be called when the end is recorded. */
  ended(this: void, message: TaskMessage, end: TaskEnd): () => void
}

/** Those who watch at the moment. */
export interface Monitors {
  /** Undefined while nobody does: all that this costs a task then is the look at it. */
  readonly current: TaskMonitor | undefined
  add(monitor: TaskMonitor): void
  remove(monitor: TaskMonitor): void
}

export function createMonitors(): Monitors {
  let all: readonly TaskMonitor[] = []
  let current: TaskMonitor | undefined
  const change = (monitors: readonly TaskMonitor[]): void => {
    all = monitors
    current = all.length > 1 ? together(all) : all[0]
  }
  return {
    get current() {
      return current
    },
    add: (monitor) => change([...all, monitor]),
    remove: (monitor) => change(all.filter((each) => each !== monitor)),
  }
}

function together(all: readonly TaskMonitor[]): TaskMonitor {
  return {
    received: (message) => all.forEach(({ received }) => received(message)),
    started: (message) => all.forEach(({ started }) => started(message)),
    ended(message, end) {
      const recorded = all.map(({ ended }) => ended(message, end))
      return () => recorded.forEach((tell) => tell())
    },
  }
}
