import { TimeoutError } from '../errors.js'
import { taskErrorFrom } from '../serialization/python-errors.js'
import { isReady } from '../serialization/states.js'
import { LONGEST_TIMEOUT_MS } from './watching.js'
import type { ResultMeta } from '../serialization/result-meta.js'
import type { AsyncResult } from './async-result.js'
import type { GroupResult } from './group-result.js'
import type { ResultBackend, WaitOptions } from './result-backend.js'

/** A task or a group, as they refer to each other. */
export type ResultNode = AsyncResult | GroupResult

/** How many ids of tasks that are not ready a message names. */
const NAMED = 3

/** The tasks in a group and the groups inside it, in their order; those without a result are left out. */
export async function tasksIn(nodes: readonly ResultNode[]): Promise<AsyncResult[]> {
  const tasks: AsyncResult[] = []
  for (const node of nodes) {
    if (node.kind === 'group') tasks.push(...(await tasksIn(await node.children())))
    else if (!node.isIgnored) tasks.push(node)
  }
  return tasks
}

/**
 * What is stored of tasks as they get ready, those first that are so already. Many ready ones cost few round trips.
 *
 * @throws TimeoutError when `timeoutMs` is over; the signal's reason when it aborts.
 */
export async function* asCompleted(
  backend: ResultBackend,
  taskIds: readonly string[],
  { timeoutMs, signal }: WaitOptions = {},
): AsyncGenerator<ResultMeta, void, undefined> {
  signal?.throwIfAborted()
  const start = performance.now()
  const awaited = new Set(taskIds)
  const total = awaited.size
  for (const meta of await backend.fetchMany([...awaited])) {
    if (meta === undefined || !isReady(meta.status) || !awaited.delete(meta.taskId)) continue
    yield meta
  }
  if (awaited.size === 0) return

  /** One for each: a signal looks through all its listeners whenever it gets another. */
  const waits = new Map<string, AbortController>()
  const completed: ResultMeta[] = []
  let fault: { readonly reason: unknown } | undefined
  let wake: (() => void) | undefined
  const fail = (reason: unknown): void => {
    fault ??= { reason }
    wake?.()
  }
  const onAbort = (): void => fail(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const onTimeout = (): void => {
    const named = [...awaited].slice(0, NAMED).join(', ')
    const ids = awaited.size > NAMED ? `${named}, …` : named
    fail(new TimeoutError(`${awaited.size} of ${total} tasks were not ready within ${timeoutMs} ms: ${ids}`))
  }
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(onTimeout, Math.min(timeoutMs - (performance.now() - start), LONGEST_TIMEOUT_MS))
  for (const taskId of awaited) {
    const end = new AbortController()
    waits.set(taskId, end)
    backend.wait(taskId, { signal: end.signal }).then((meta) => {
      waits.delete(taskId)
      completed.push(meta)
      wake?.()
    }, fail)
  }
  try {
    while (awaited.size > 0) {
      for (const meta of completed.splice(0)) {
        awaited.delete(meta.taskId)
        yield meta
      }
      if (awaited.size === 0) return
      if (fault !== undefined) throw fault.reason
      if (completed.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    for (const end of waits.values()) end.abort()
  }
}

export interface JoinOptions extends WaitOptions {
  /** Throw the first failure; otherwise its exception object stands in its place. */
  readonly propagate: boolean
}

/** The results of tasks in their order; those of a group inside are a list. @throws TaskError, TimeoutError */
export async function joinAll(
  backend: ResultBackend,
  nodes: readonly ResultNode[],
  { propagate, ...options }: JoinOptions,
): Promise<unknown[]> {
  const tasks = await tasksIn(nodes)
  const results = new Map<string, unknown>()
  for await (const meta of asCompleted(
    backend,
    tasks.map(({ id }) => id),
    options,
  )) {
    if (propagate && meta.status !== 'SUCCESS') throw taskErrorFrom(meta)
    results.set(meta.taskId, meta.result)
  }
  const inPlace = (some: readonly ResultNode[]): Promise<unknown[]> =>
    Promise.all(
      some.map(async (node) =>
        node.kind === 'group' ? inPlace(await node.children()) : (results.get(node.id) ?? null),
      ),
    )
  return inPlace(nodes)
}

/** One step of a tree of results. */
export interface ResultTreeStep {
  readonly node: ResultNode
  readonly parent: ResultNode | undefined
}

/**
 * A result and all that its tasks started, breadth first, each once. What a task started is known when it is ready:
 * `visit` may wait for that.
 */
export async function* walk(
  root: ResultNode,
  visit: (node: ResultNode) => Promise<unknown>,
): AsyncGenerator<ResultTreeStep & { readonly value: unknown }, void, undefined> {
  const queue: ResultTreeStep[] = [{ node: root, parent: undefined }]
  const seen = new Set<string>()
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const { node } = step
    if (seen.has(node.id)) continue
    seen.add(node.id)
    const value = await visit(node)
    yield { ...step, value }
    queue.push(...(await node.children()).map((child) => ({ node: child, parent: node })))
  }
}
