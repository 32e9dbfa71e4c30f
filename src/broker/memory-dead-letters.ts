import { randomUUID } from 'node:crypto'
import { forgetLosses } from '../serialization/earlier-deliveries.js'
import { describeDeadLetter, filterOf, fits } from './dead-letter.js'
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterLimits,
  DeadLetterReason,
  DeadLetters,
} from './broker.js'
import type { MemoryQueues } from './memory-queues.js'

export interface MemoryDeadLetters extends DeadLetters {
  /** @returns the dead letter's id. */
  bury(queue: string, envelope: string, worker: string | undefined, reason: DeadLetterReason): string
}

export function createMemoryDeadLetters(queues: MemoryQueues, limits: DeadLetterLimits): MemoryDeadLetters {
  /** Newest first. */
  let dead: DeadLetter[] = []

  /** Take those that fit off the dead letters, oldest first. */
  const exhume = (filter: DeadLetterFilter): DeadLetter[] => {
    const taken = dead.filter((letter) => fits(letter, filter))
    dead = dead.filter((letter) => !taken.includes(letter))
    return taken.toReversed()
  }

  return {
    bury(queue, envelope, worker, { code, message }) {
      const id = randomUUID()
      dead.unshift(describeDeadLetter({ id, queue, envelope, code, message, worker, diedAt: new Date() }))
      const earliest = limits.expiresSeconds > 0 ? Date.now() - limits.expiresSeconds * 1000 : -Infinity
      dead = dead.slice(0, limits.maxCount).filter(({ diedAt }) => diedAt.getTime() >= earliest)
      return id
    },
    count: () => Promise.resolve(dead.length),
    list: ({ limit = 100, offset = 0, ...filter } = {}) =>
      Promise.resolve(dead.filter((letter) => fits(letter, filter)).slice(offset, offset + limit)),
    get: (id) => Promise.resolve(dead.find((letter) => letter.id === id)),
    async retry(selection) {
      const letters = exhume(filterOf(selection))
      for (const { queue, envelope } of letters) queues.putBack(queue, anew(envelope), 'back')
      return Promise.resolve(letters.length)
    },
    async purge(selection) {
      return Promise.resolve(exhume(filterOf(selection)).length)
    },
  }
}

/** As if it had never been lost; what is no message stays as it is. */
function anew(envelope: string): string {
  try {
    return forgetLosses(envelope)
  } catch {
    return envelope
  }
}
