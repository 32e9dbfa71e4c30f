import type { ChildOrders, FromChild, ToChild } from './messages.js'
import type { LossCause } from '../../../serialization/earlier-deliveries.js'

/** A process or thread in which tasks run, as its worker sees it. */
export interface Child {
  /** Of the process or the thread. */
  readonly id: number
  /** Does nothing when it has ended. */
  send(this: void, message: ToChild): void
  readonly ended: Promise<ChildEnd>
  /** Resident memory of a process, heap of a thread and what is beside it, at the moment; undefined where nobody can tell. */
  memoryKib(this: void): Promise<number | undefined>
  /** Threads know SIGKILL only. */
  signal(this: void, signal: NodeJS.Signals): void
  /** End it at once, whatever it does. */
  kill(this: void): void
}

export interface ChildEnd {
  /** In Celery's words: `exitcode 3`, `signal 9 (SIGKILL)`. */
  readonly how: string
  readonly cause: Extract<LossCause, 'WORKER_LOST' | 'MEMORY_LIMIT'>
}

/** @param onMessage - called with what it says. */
export type StartChild = (onMessage: (message: FromChild) => void) => Child

export interface ChildProgram {
  readonly orders: ChildOrders
  readonly env: NodeJS.ProcessEnv
  /** That it keeps by itself, as far as it can; undefined: any amount. */
  readonly memoryLimitKib: number | undefined
}
