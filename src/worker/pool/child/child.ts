import type { ChildOrders, FromChild, ToChild } from './messages.js'

/** A process or thread in which tasks run, as its worker sees it. */
export interface Child {
  /** Of the process or the thread. */
  readonly id: number
  /** Does nothing when it has ended. */
  send(this: void, message: ToChild): void
  /** Resolves when it has ended, with how, in Celery's words: `exitcode 3`, `signal 9 (SIGKILL)`. */
  readonly ended: Promise<string>
  /** Threads know SIGKILL only. */
  signal(this: void, signal: NodeJS.Signals): void
  /** End it at once, whatever it does. */
  kill(this: void): void
}

/** @param onMessage - called with what it says. */
export type StartChild = (onMessage: (message: FromChild) => void) => Child

export interface ChildProgram {
  readonly orders: ChildOrders
  readonly env: NodeJS.ProcessEnv
}
