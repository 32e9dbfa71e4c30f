import { signature, type Signature } from '../canvas/signature.js'
import type { AsyncResult } from '../results/async-result.js'
import type { RegisteredTask } from './registered-task.js'
import type { SendOptions, SendTask } from './send-task.js'

/** How to make one call; Celery's `apply_async`. */
export interface ApplyOptions<Args extends readonly unknown[]> extends SendOptions {
  readonly args?: Args
  readonly kwargs?: Readonly<Record<string, unknown>>
}

/** A task to be called: registered here, or known by name only. */
export interface Task<Args extends readonly unknown[] = unknown[], Result = unknown> {
  readonly name: string
  /** Send a call with these arguments. @throws PublishError, EncodeError, InvalidParamsError */
  delay(...args: Args): Promise<AsyncResult<Result>>
  applyAsync(options?: ApplyOptions<Args>): Promise<AsyncResult<Result>>
  /** A call not yet made. */
  s(...args: Partial<Args> extends infer P extends readonly unknown[] ? P : never): Signature
  /** The same, immutable: results of predecessors are not put in front of the arguments. */
  si(...args: Partial<Args> extends infer P extends readonly unknown[] ? P : never): Signature
}

export interface TaskParts {
  readonly name: string
  readonly pack: RegisteredTask['pack']
  readonly send: SendTask
}

export function createTask<Args extends readonly unknown[], Result>(parts: TaskParts): Task<Args, Result> {
  const { name, pack, send } = parts
  return {
    name,
    async delay(...args) {
      const call = pack(args)
      return (await send(name, call.args, call.kwargs, {})) as AsyncResult<Result>
    },
    async applyAsync({ args, kwargs, ...options } = {}) {
      const call = pack(args ?? [], kwargs)
      return (await send(name, call.args, call.kwargs, options)) as AsyncResult<Result>
    },
    s: (...args) => signature(name, pack(args)),
    si: (...args) => signature(name, { ...pack(args), immutable: true }),
  }
}
