import { isPlainRecord } from '../serialization/plain-record.js'
import { UNIQUE_HEADER } from '../app/unique-calls.js'
import type { Coordination } from '../coordination/coordination.js'
import type { Log } from '../log.js'
import type { TaskMessage } from '../serialization/task-message.js'

/**
 * Gives back the keys of unique calls. Before the result is stored: whoever has seen it may call again at once.
 */
export interface Uniqueness {
  /** @returns undefined, at once, where there is nothing to give back; a promise that does not reject. */
  starts(this: void, message: TaskMessage): Promise<void> | undefined
  ends(this: void, message: TaskMessage): Promise<void> | undefined
  /** Give the key back, then do what lets others see the end. */
  endsBefore(this: void, message: TaskMessage, action: () => void): void
}

export function createUniqueness(parts: {
  readonly coordination: () => Coordination
  readonly log: Log
}): Uniqueness {
  const { coordination, log } = parts

  const giveBack = ({ id, task }: TaskMessage, key: string): Promise<void> =>
    coordination()
      .releaseUnique(key, id)
      .catch((error: unknown) => {
        log.warn(
          { err: error, taskId: id, task },
          'could not give back the key of a unique call; it ends by its ttl',
        )
      })

  const ends = (message: TaskMessage): Promise<void> | undefined => {
    const unique = message.headers[UNIQUE_HEADER]
    return unique === undefined ? undefined : whole(unique, 'finish', (key) => giveBack(message, key))
  }

  return {
    starts(message) {
      const unique = message.headers[UNIQUE_HEADER]
      return unique === undefined ? undefined : whole(unique, 'start', (key) => giveBack(message, key))
    },
    ends,
    endsBefore(message, action) {
      const given = ends(message)
      if (given === undefined) action()
      else void given.then(action)
    },
  }
}

/** A header is whatever its sender says. One that ends at the start is given back at the end where it never started. */
function whole<T>(header: unknown, at: 'start' | 'finish', use: (key: string) => T): T | undefined {
  if (!isPlainRecord(header)) return undefined
  const { key, until } = header
  if (typeof key !== 'string') return undefined
  return at === 'finish' || until === 'start' ? use(key) : undefined
}
