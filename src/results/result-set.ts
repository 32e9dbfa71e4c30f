import { revokerOf, type RevokeTasksOptions } from './revoking.js'
import { refuseInsideTask } from './running-task.js'
import { asCompleted, joinAll, tasksIn, type ResultNode } from './joining.js'
import { DEFAULT_GET_TIMEOUT_MS, waitTimeoutMs, type GetOptions } from './get-options.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { ResultBackend } from './result-backend.js'

/** Any results that are looked at together; Celery's `ResultSet`. */
export class ResultSet<Results extends readonly unknown[] = unknown[]> implements AsyncIterable<ResultMeta> {
  protected readonly backend: ResultBackend
  readonly #results: ResultNode[]

  constructor(results: readonly ResultNode[], backend: ResultBackend) {
    this.#results = [...results]
    this.backend = backend
  }

  children(): Promise<readonly ResultNode[]> {
    return Promise.resolve(this.#results)
  }

  /** One more, unless it is in it already. */
  add(result: ResultNode): void {
    if (!this.#results.some(({ id }) => id === result.id)) this.#results.push(result)
  }

  /** Whether all have ended, well or not. */
  async ready(): Promise<boolean> {
    return (await this.#states()).every(
      (state) => state === 'SUCCESS' || state === 'FAILURE' || state === 'REVOKED',
    )
  }

  /** Whether all have succeeded. */
  async successful(): Promise<boolean> {
    return (await this.#states()).every((state) => state === 'SUCCESS')
  }

  /** Whether any has failed. */
  async failed(): Promise<boolean> {
    return (await this.#states()).includes('FAILURE')
  }

  /** Whether any is still to come. */
  async waiting(): Promise<boolean> {
    return !(await this.ready())
  }

  /** How many have succeeded, as Celery counts. */
  async completedCount(): Promise<number> {
    return (await this.#states()).filter((state) => state === 'SUCCESS').length
  }

  /**
   * Waits for all and returns their results in order; those of a group inside are a list.
   *
   * @throws TaskError for the first that is found to have failed or been revoked.
   * @throws TimeoutError when not all are ready in time, naming some that are not.
   * @throws GetInsideTaskError within a task, unless allowed.
   */
  async join(options: GetOptions = {}): Promise<Results> {
    refuseInsideTask(options)
    const { propagate = true, signal } = options
    const nodes = await this.children()
    const joined = await joinAll(this.backend, nodes, {
      propagate,
      signal,
      timeoutMs: waitTimeoutMs(options),
    })
    return joined as readonly unknown[] as Results
  }

  /** The same as {@link join}. */
  get(options?: GetOptions): Promise<Results> {
    return this.join(options)
  }

  /** Have its tasks not run; see `Control.revoke`. @throws as `AsyncResult.revoke` does */
  async revoke(options?: RevokeTasksOptions): Promise<void> {
    const tasks = await tasksIn(await this.children())
    if (tasks.length === 0) return
    await revokerOf(this.backend)(
      tasks.map(({ id }) => id),
      options,
    )
  }

  /** Forget the results of all its tasks. */
  async forget(): Promise<void> {
    const tasks = await tasksIn(await this.children())
    await this.backend.forget(tasks.map(({ id }) => id))
  }

  /** What is stored of each task, in the order in which they get ready; for as long as {@link join} waits by default. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ResultMeta, void, undefined> {
    refuseInsideTask({})
    const tasks = await tasksIn(await this.children())
    const ids = tasks.map(({ id }) => id)
    yield* asCompleted(this.backend, ids, { timeoutMs: DEFAULT_GET_TIMEOUT_MS })
  }

  async #states(): Promise<(string | undefined)[]> {
    const tasks = await tasksIn(await this.children())
    const metas = await this.backend.fetchMany(tasks.map(({ id }) => id))
    return metas.map((meta) => meta?.status)
  }
}
