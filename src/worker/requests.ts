import type { Request } from './request.js'

/** A request whose task runs, or whose function goes on although the task was ended. */
export interface RunningRequest {
  readonly request: Request
  /** By the clock, in milliseconds. */
  readonly startedAt: number
  /** Its message was acknowledged before it ran. */
  readonly isAcknowledged: boolean
  /** Of the process that it runs in; undefined while it waits for a child. */
  readonly pid: number | undefined
}

/** What a worker has in hand, for those who ask. */
export interface Requests {
  running(this: void): readonly RunningRequest[]
  /** Waiting for a slot, or for a limit. */
  waiting(this: void): readonly Request[]
  /** How many tasks have started, by name. */
  totals(this: void): Readonly<Record<string, number>>
}
