import { chunksData, mapData, starmapData } from '../canvas/map.js'
import { createSignature, type Owner } from '../canvas/signature.js'
import type { PartialCall, Signature } from '../canvas/signature-types.js'
import { taskData } from '../canvas/signature-data.js'
import type { GroupHandle, LastOf, RoomFor } from '../canvas/signature-types.js'
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
  /** A call not yet made. Where the first argument is left out, it is the result of a predecessor. */
  s<const Given extends LastOf<Args>>(
    ...args: Given
  ): Signature<RoomFor<Args, Given>, Result, AsyncResult<Result>>
  /** The same, immutable: results of predecessors are not put in front of the arguments. */
  si(...args: Args): Signature<unknown, Result, AsyncResult<Result>>
  /** A call with arguments by position and name, and with options, not yet made. */
  signature(
    call: PartialCall & { readonly immutable?: boolean },
  ): Signature<unknown, Result, AsyncResult<Result>>
  /** Call it with each item in turn, in one process; the result is the list of results. */
  map(items: Iterable<Args[0]>): Signature<unknown, Result[], AsyncResult<Result[]>>
  /** The same, where each item is a list of arguments. */
  starmap(items: Iterable<Args>): Signature<unknown, Result[], AsyncResult<Result[]>>
  /** A starmap in parts of `size` items, which run at the same time; the result is a list of lists. */
  chunks(items: Iterable<Args>, size: number): Signature<unknown, Result[][], GroupHandle<Result[][]>>
}

/** A task with `params`: by a predecessor it gets the first of them, without any argument of its own. */
export interface ParamsTask<Input, Result> extends Omit<Task<[params: Input], Result>, 's'> {
  s(): Signature<unknown, Result, AsyncResult<Result>>
  s(params: Input): Signature<never, Result, AsyncResult<Result>>
}

export interface TaskParts {
  readonly name: string
  readonly pack: RegisteredTask['pack']
  readonly send: SendTask
  readonly owner: Owner
}

export function createTask<Args extends readonly unknown[], Result>(parts: TaskParts): Task<Args, Result> {
  const { name, pack, send, owner } = parts
  const packed = (args: readonly unknown[]): PartialCall => (args.length === 0 ? {} : pack(args))
  const itself = taskData(name)
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
    s: (...args) => createSignature(taskData(name, packed(args)), owner),
    si: (...args) => createSignature(taskData(name, { ...pack(args), immutable: true }), owner),
    signature: (call) =>
      createSignature(taskData(name), owner)
        .clone(call)
        .set({ immutable: call.immutable ?? false }) as never,
    map: (items) => createSignature(mapData(itself, items), owner),
    starmap: (items) => createSignature(starmapData(itself, items), owner),
    chunks: (items, size) => createSignature(chunksData(itself, items, size), owner),
  }
}
