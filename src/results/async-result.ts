import { isReady } from '../serialization/states.js'
import { taskErrorFrom } from '../serialization/exceptions.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { ResultBackend } from './result-backend.js'

export interface GetOptions {
  /** Milliseconds; `Infinity` waits for as long as it takes. @default 300_000 */
  readonly timeout?: number
  /** Throw the task's failure; otherwise its exception object is returned. @default true */
  readonly propagate?: boolean
  readonly signal?: AbortSignal
}

const DEFAULT_GET_TIMEOUT_MS = 300_000

/** A task that was sent, and the way to what became of it. Holds no connection of its own. */
export class AsyncResult<Result = unknown> implements AsyncIterable<ResultMeta> {
  readonly id: string
  readonly parent: AsyncResult | undefined
  readonly #backend: ResultBackend

  constructor(id: string, backend: ResultBackend, parent?: AsyncResult) {
    this.id = id
    this.parent = parent
    this.#backend = backend
  }

  /** Celery's state; PENDING where nothing is stored, which may also mean that the id is unknown or expired. */
  async state(): Promise<string> {
    return (await this.#backend.fetch(this.id))?.status ?? 'PENDING'
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
   * Waits for the task's end and returns what it returned.
   *
   * @throws TaskError when it failed or was revoked, with `excType` and the traceback of the worker.
   * @throws TimeoutError when it is not ready in time; the task itself goes on.
   * @throws ResultBackendDisabledError where the app keeps no results.
   */
  async get(options: GetOptions = {}): Promise<Result> {
    const { timeout = DEFAULT_GET_TIMEOUT_MS, propagate = true, signal } = options
    const timeoutMs = timeout === Infinity ? undefined : timeout
    const meta = await this.#backend.wait(this.id, { timeoutMs, signal })
    if (meta.status !== 'SUCCESS' && propagate) throw taskErrorFrom(meta)
    return meta.result as Result
  }

  /** Results of the tasks that this one started, where it is ready. */
  async children(): Promise<AsyncResult[]> {
    const meta = await this.#backend.fetch(this.id)
    return (meta?.children ?? []).flatMap((child) => {
      const id = taskIdOf(child)
      return id === undefined ? [] : [new AsyncResult(id, this.#backend, this)]
    })
  }

  async forget(): Promise<void> {
    await this.#backend.forget([this.id])
  }

  /**
   * Every state from now on in their order, the present one first; ends with the last. A state may come twice, none is
   * missed at the end.
   */
  [Symbol.asyncIterator](): AsyncIterator<ResultMeta> {
    return this.#backend.updates(this.id)[Symbol.asyncIterator]()
  }
}

/** The id in a result tuple, `[[id, parent], null]` (wire protocol, section 10.2). */
function taskIdOf(tuple: unknown): string | undefined {
  const head: unknown = Array.isArray(tuple) ? tuple[0] : undefined
  const id: unknown = Array.isArray(head) ? head[0] : undefined
  return typeof id === 'string' ? id : undefined
}
