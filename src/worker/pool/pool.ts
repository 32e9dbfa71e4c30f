import { describeValue, InvalidArgumentError } from '../../errors.js'
import type { ContextParts, Request } from '../request.js'
import type { Outcome } from '../outcome.js'
import type { PoolKind } from '../../app/worker-options.js'
import type { Slots } from './slots.js'
import type { Tracing } from '../../app/tracing.js'

/** Where tasks run: slots, and what calls their functions. */
export interface Pool extends PoolParts {
  /**
   * Add slots. Resolves when tasks can run in all of them.
   *
   * @throws InvalidArgumentError for what is no count, or where the pool has a fixed size.
   */
  grow(this: void, count: number): Promise<void>
  /**
   * Take slots away; those that are in use go when their tasks end.
   *
   * @throws InvalidArgumentError for more than there are, or where the pool has a fixed size.
   */
  shrink(this: void, count: number): Promise<void>
}

/** What the kinds of pools differ in. */
export interface PoolParts {
  readonly kind: PoolKind
  readonly slots: Slots
  /** Call the function of a task, on this event loop or in a child. Never throws: whatever happens is the outcome. */
  readonly execute: Execute
  /** Ids of the processes or threads that tasks run in: of this process where they run in it. */
  readonly children: readonly number[]
  /** How many tasks were given to each child; undefined where there are none. */
  readonly writes?: readonly number[] | undefined
  /** Replace the children, when their tasks have ended; undefined where there are none. */
  readonly restart?: (() => void) | undefined
  /** Undefined: it has a fixed size. */
  readonly resize: ((concurrency: number) => Promise<void>) | undefined
  /** Resolves when tasks can run. @throws PoolStartError */
  start(): Promise<void>
  /** End what tasks run in, and with it those that still run. */
  stop(): Promise<void>
}

export type Execute = (request: Request, limits: TimeLimits, parts: ExecutionParts) => Execution

export interface ExecutionParts extends Omit<ContextParts, 'controller'> {
  readonly tracing: Tracing | undefined
  /** The function is about to be called in the process of this id; undefined: nobody has to know. */
  readonly onStarted?: ((pid: number) => void) | undefined
}

export interface TimeLimits {
  /** Seconds; undefined or 0: none. */
  readonly hard: number | undefined
  readonly soft: number | undefined
}

/** A task that has begun. */
export interface Execution {
  /** Settled already where the function returned no promise. */
  readonly outcome: Outcome | Promise<Outcome>
  /** Abort the task's signal. What the function does then is its own affair. */
  readonly abort: (reason: unknown) => void
  /** Of the process that it runs in, undefined until it has one; left out where that is this one. */
  readonly pid?: () => number | undefined
  /** Settles when the function has returned; undefined where the outcome does not come before that. */
  readonly returned?: Promise<unknown> | undefined
  /**
   * End it, with a signal of the operating system, where it runs in a child; what becomes its outcome then means
   * nothing. Undefined where only the function itself can end it.
   *
   * @returns false where this signal leaves the end to the function.
   */
  readonly terminate?: (signal: NodeJS.Signals) => boolean
}

/** Whether tasks run on the event loop of the worker. */
export function runsHere({ kind }: Pool): boolean {
  return kind === 'async' || kind === 'solo'
}

export function sizedPool(parts: PoolParts): Pool {
  const { kind, slots } = parts
  const resize = async (count: number, direction: 'grow' | 'shrink'): Promise<void> => {
    const wanted = slots.concurrency + (direction === 'grow' ? count : -count)
    if (parts.resize === undefined)
      throw new InvalidArgumentError(`a pool of the kind ${kind} has one slot, always`)
    if (!Number.isInteger(count) || count < 1)
      throw new InvalidArgumentError(
        `${direction}: expected an integer, 1 or more, got ${describeValue(count)}`,
      )
    if (wanted < 1)
      throw new InvalidArgumentError(`a pool of ${slots.concurrency} slots cannot shrink by ${count}`)
    await parts.resize(wanted)
  }
  return {
    ...parts,
    get children() {
      return parts.children
    },
    get writes() {
      return parts.writes
    },
    grow: (count) => resize(count, 'grow'),
    shrink: (count) => resize(count, 'shrink'),
  }
}
