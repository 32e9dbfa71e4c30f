import { TimeoutError } from '../errors.js'
import { UnreadableResultError } from '../serialization/errors.js'
import { isReady } from '../serialization/states.js'
import { readResultTuple, type ResultTuple } from '../serialization/result-tuple.js'
import { taskErrorFrom } from '../serialization/python-errors.js'
import { GroupNotFoundError, ResultTimeoutError } from './errors.js'
import { revokerOf, type RevokeTasksOptions } from './revoking.js'
import { waitTimeoutMs, type GetOptions } from './get-options.js'
import { GroupResult } from './group-result.js'
import { failureBefore } from './parents.js'
import { refuseInsideTask } from './running-task.js'
import { walk, type ResultNode, type ResultTreeStep } from './joining.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { ResultBackend } from './result-backend.js'

export type { GetOptions } from './get-options.js'

export interface AsyncResultOptions {
  /** The call said that no result is kept. @default false */
  readonly isIgnored?: boolean | undefined
}

/** A task that was sent, and the way to what became of it. Holds no connection of its own. */
export class AsyncResult<Result = unknown> implements AsyncIterable<ResultMeta> {
  readonly kind = 'task'
  readonly id: string
  /** Of a step of a chain the step before, of a chord's body the header. */
  readonly parent: ResultNode | undefined
  /** Whether the call said that no result is kept (`ignoreResult`). */
  readonly isIgnored: boolean
  readonly #backend: ResultBackend

  constructor(id: string, backend: ResultBackend, parent?: ResultNode, options: AsyncResultOptions = {}) {
    this.id = id
    this.parent = parent
    this.isIgnored = options.isIgnored ?? false
    this.#backend = backend
  }

  /** Celery's state; PENDING where nothing is stored, which may also mean that the id is unknown or expired. */
  async state(): Promise<string> {
    return (await this.#backend.fetch(this.id))?.status ?? 'PENDING'
  }

  /** Whether anything is stored of it: of a task that waits nothing is. */
  async exists(): Promise<boolean> {
    return (await this.#backend.fetch(this.id)) !== undefined
  }

  /** All that is stored of the task; undefined where nothing is. */
  async meta(): Promise<ResultMeta | undefined> {
    return this.#backend.fetch(this.id)
  }

  /** What is stored as the result: return value, progress, or a failure's exception object. */
  async info(): Promise<unknown> {
    return (await this.#backend.fetch(this.id))?.result
  }

  async ready(): Promise<boolean> {
    return isReady(await this.state())
  }

  async successful(): Promise<boolean> {
    return (await this.state()) === 'SUCCESS'
  }

  async failed(): Promise<boolean> {
    return (await this.state()) === 'FAILURE'
  }

  /**
   * Waits for the task's end and returns what it returned. Null at once where the call said `ignoreResult`, as in Celery.
   *
   * @throws TaskError when it failed or was revoked, with `excType` and the traceback of the worker. Where a parent had
   *   failed before it, what the first of these failed with (`followParents`), as in Celery.
   * @throws ResultTimeoutError when it is not ready in time, with what is known of it; the task itself goes on.
   * @throws UnreadableResultError when the time is over and what is stored is no result.
   * @throws GetInsideTaskError within a task, unless allowed.
   * @throws ResultBackendDisabledError where the app keeps no results.
   */
  async get(options: GetOptions = {}): Promise<Result> {
    if (this.isIgnored) return null as Result
    refuseInsideTask(options)
    const { propagate = true, followParents = true, signal } = options
    const timeoutMs = waitTimeoutMs(options)
    const parent = followParents ? this.parent : undefined
    let meta: ResultMeta
    try {
      meta = await this.#backend.wait(this.id, { timeoutMs, signal })
    } catch (error) {
      if (!(error instanceof TimeoutError) || timeoutMs === undefined) throw error
      const failure = propagate ? await this.#failureBefore(parent) : undefined
      if (failure !== undefined) throw taskErrorFrom(failure)
      throw new ResultTimeoutError(this.id, timeoutMs, await this.#knownState())
    }
    if (meta.status !== 'SUCCESS' && propagate)
      throw taskErrorFrom((await this.#failureBefore(parent)) ?? meta)
    return meta.result as Result
  }

  /** Undefined also where that cannot be read: its own end is known. */
  async #failureBefore(parent: ResultNode | undefined): Promise<ResultMeta | undefined> {
    return failureBefore(parent, this.#backend).catch(() => undefined)
  }

  /** @throws UnreadableResultError: then there is a result, which nobody can wait for. */
  async #knownState(): Promise<string | undefined> {
    try {
      return (await this.#backend.fetch(this.id))?.status
    } catch (error) {
      if (error instanceof UnreadableResultError) throw error
      return undefined
    }
  }

  /** Tasks and groups that this one started, where it is ready. */
  async children(): Promise<readonly ResultNode[]> {
    const meta = await this.#backend.fetch(this.id)
    return (meta?.children ?? []).map((child) => fromTuple(readResultTuple(child), this.#backend))
  }

  /**
   * Waits for this result and all that its task, and theirs, started, breadth first.
   *
   * @throws What {@link get} throws.
   */
  async *collect(
    options: GetOptions = {},
  ): AsyncGenerator<readonly [result: ResultNode, value: unknown], void, undefined> {
    for await (const { node, value } of walk(this, (each) => each.get(options))) yield [node, value]
  }

  /** This result and all that is known to have been started by its task, breadth first, without waiting for any. */
  async graph(): Promise<ResultTreeStep[]> {
    const steps: ResultTreeStep[] = []
    for await (const { node, parent } of walk(this, () => Promise.resolve())) steps.push({ node, parent })
    return steps
  }

  /** How results refer to it (wire protocol, section 10.2). */
  asTuple(): ResultTuple {
    return [[this.id, this.parent?.asTuple() ?? null], null]
  }

  /**
   * Have it not run; see `Control.revoke`. Without `terminate`, one that runs goes on.
   *
   * @throws PublishError, InvalidArgumentError where no app stands behind the result.
   */
  async revoke(options?: RevokeTasksOptions): Promise<void> {
    await revokerOf(this.#backend)([this.id], options)
  }

  /** Forget its result and, as in Celery, those of its parents. */
  async forget(): Promise<void> {
    await this.parent?.forget()
    await this.#backend.forget([this.id])
  }

  /** Every state from now on, the present one first; ends with the last. A state may come twice, none is missed at the end. */
  [Symbol.asyncIterator](): AsyncIterator<ResultMeta> {
    return this.#backend.updates(this.id)[Symbol.asyncIterator]()
  }
}

/** The result that a tuple stands for. */
export function fromTuple(tuple: ResultTuple, backend: ResultBackend): ResultNode {
  const [[id, parentTuple], members] = tuple
  const parent = parentTuple === null ? undefined : fromTuple(parentTuple, backend)
  if (members === null) return new AsyncResult(id, backend, parent)
  return new GroupResult(
    id,
    members.map((member) => fromTuple(member, backend)),
    backend,
    parent,
  )
}

/** A group that was saved before, here or elsewhere; looked up when its members are asked for. */
export function savedGroup<Results extends readonly unknown[]>(
  id: string,
  backend: ResultBackend,
): GroupResult<Results> {
  const restore = async (): Promise<readonly ResultNode[]> => {
    const tuple = await backend.restoreGroup(id)
    if (tuple === undefined) throw new GroupNotFoundError(id)
    return (tuple[1] ?? []).map((member) => fromTuple(member, backend))
  }
  return new GroupResult<Results>(id, restore, backend)
}
