import { priorityStep } from './keys.js'
import { readDeliveryInfo } from '../serialization/envelope.js'

/** Each has a list of its own in every queue. */
export const STEPS = [0, 3, 6, 9]

/** Longest sleep of one wait. */
const LONGEST_WAIT_MS = 60_000

/** What waits in queues of this process, and who waits for it. */
export interface MemoryQueues {
  /** As the last in line of its priority. */
  push(queue: string, priority: number, envelope: string): void
  putBack(queue: string, envelope: string, end: 'front' | 'back'): void
  /** Take the first in line of a priority step, as long as there are any and `mayTake` says so of their length. */
  take(queue: string, step: number, mayTake: (bytes: number) => boolean): string[]
  length(queue: string): number
  /** The next and the last message of each priority step. */
  ends(queue: string): (readonly [head: string | undefined, tail: string | undefined])[]
  /** @returns how many there were. */
  purge(queue: string): number
  /** Resolves when there may be something in one of them, `timeoutMs` is over, or `signal` aborted. */
  wait(queues: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<void>
  /** End all waiting. */
  wakeAll(): void
}

export function createMemoryQueues(): MemoryQueues {
  /** The head of a list is its end, as in Redis. */
  const lists = new Map<string, string[]>()
  const waiters = new Set<() => void>()

  const listOf = (queue: string, step: number): string[] => {
    const key = `${queue}\n${step}`
    let list = lists.get(key)
    if (list === undefined) lists.set(key, (list = []))
    return list
  }
  const wakeAll = (): void => {
    for (const wake of [...waiters]) wake()
  }
  const length = (queue: string): number => STEPS.reduce((sum, step) => sum + listOf(queue, step).length, 0)

  return {
    push(queue, priority, envelope) {
      listOf(queue, priorityStep(STEPS, priority)).unshift(envelope)
      wakeAll()
    },
    putBack(queue, envelope, end) {
      const list = listOf(queue, stepOf(envelope))
      if (end === 'front') list.push(envelope)
      else list.unshift(envelope)
      wakeAll()
    },
    take(queue, step, mayTake) {
      const list = listOf(queue, step)
      const taken: string[] = []
      for (let next = list.at(-1); next !== undefined && mayTake(next.length); next = list.at(-1)) {
        taken.push(next)
        list.pop()
      }
      return taken
    },
    length,
    ends: (queue) =>
      STEPS.map((step) => {
        const list = listOf(queue, step)
        return [list.at(-1), list[0]]
      }),
    purge: (queue) => STEPS.reduce((sum, step) => sum + listOf(queue, step).splice(0).length, 0),
    wait(queues, timeoutMs, signal) {
      if (signal.aborted || queues.some((queue) => length(queue) > 0)) return Promise.resolve()
      return new Promise((resolve) => {
        const finish = (): void => {
          clearTimeout(timer)
          waiters.delete(finish)
          signal.removeEventListener('abort', finish)
          resolve()
        }
        const timer = setTimeout(finish, Math.max(0, Math.min(timeoutMs, LONGEST_WAIT_MS)))
        waiters.add(finish)
        signal.addEventListener('abort', finish, { once: true })
      })
    },
    wakeAll,
  }
}

/** The most urgent for what is no message. */
function stepOf(envelope: string): number {
  try {
    return priorityStep(STEPS, readDeliveryInfo(envelope).priority)
  } catch {
    return 0
  }
}
