import { randomUUID } from 'node:crypto'
import { NotRegistered } from './outcomes.js'
import { runningTask } from '../results/running-task.js'
import type { AsyncResult } from '../results/async-result.js'
import type { RunningWorker, WorkerOptions } from './worker-options.js'
import type { SendTask } from './send-task.js'
import type { SignalBus } from './signals.js'

/**
 * Celery's `task_always_eager`: who sends a call gets it back when it has run.
 *
 * No way of its own through a task: messages go through a broker in memory to a worker in this process, and are encoded,
 * retried and chained as ever. Only waiting is added: within a task for the call that it makes, elsewhere for all that
 * follows from it as well.
 */
export interface Eager {
  /** Sends, and knows from then on that the call is under way. */
  readonly send: SendTask
  /** Send a call, and wait until it has ended. @throws what the task threw, with `taskEagerPropagates`. */
  readonly call: SendTask
  /**
   * Send a canvas, and wait until it has ended; not within a task, which only sends it.
   *
   * @throws what the first task threw that failed, with `taskEagerPropagates`.
   */
  launch(start: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

export interface EagerParts {
  readonly send: SendTask
  readonly signals: SignalBus
  readonly propagates: boolean
  readonly startWorker: (options: WorkerOptions) => Promise<RunningWorker>
}

/** A task may wait for another, and that for the next; each has a slot meanwhile. */
const SLOTS = 1_000_000
/** After the last task of a chord's header its body is sent in so many turns of the event loop, at most. */
const TURNS = 10

export function createEager({ send, signals, propagates, startWorker }: EagerParts): Eager {
  /** Ids of calls that have not ended. */
  const underWay = new Set<string>()
  const failures = new Map<string, unknown>()
  let onEnd: (() => void)[] = []
  let worker: Promise<RunningWorker> | undefined

  const ended = (id: string): void => {
    underWay.delete(id)
    const told = onEnd
    onEnd = []
    for (const tell of told) tell()
  }
  const listening = [
    signals.on('taskFailure', ({ taskId, error }) => void failures.set(taskId, error)),
    signals.on('taskPostrun', ({ taskId, state }) => {
      if (state !== 'RETRY' && state !== 'REPLACED') ended(taskId)
    }),
    signals.on('taskRevoked', ({ taskId }) => ended(taskId)),
    signals.on('taskUnknown', ({ taskId, task }) => {
      failures.set(taskId, new NotRegistered(`no task ${JSON.stringify(task)} is registered here`))
      ended(taskId)
    }),
  ]

  const until = async (isDone: () => boolean): Promise<void> => {
    while (!isDone()) await new Promise<void>((resolve) => onEnd.push(resolve))
  }
  const allEnded = async (): Promise<void> => {
    for (let turns = 0; turns < TURNS; turns++) {
      if (underWay.size > 0) turns = 0
      await until(() => underWay.size === 0)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  const started = (): Promise<RunningWorker> =>
    (worker ??= startWorker({
      hostname: 'eager@%h',
      pool: 'async',
      concurrency: SLOTS,
      prefetchMultiplier: 1,
      heartbeatInterval: 0,
    }))

  const tracked: SendTask = async (name, args, kwargs, options) => {
    const id = options.taskId ?? randomUUID()
    underWay.add(id)
    let result: AsyncResult | undefined
    try {
      result = await send(name, args, kwargs, { ...options, taskId: id })
      return result
    } finally {
      // Not sent, or another one of the same unique key was.
      if (result?.id !== id) ended(id)
    }
  }

  /** Whatever a task threw, an error or not. */
  const throwFailure = (thrown: unknown): void => {
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    if (propagates && thrown !== undefined) throw thrown
  }

  return {
    send: tracked,
    async call(...call) {
      await started()
      const isOutside = runningTask() === undefined
      const result = await tracked(...call)
      await (isOutside ? allEnded() : until(() => !underWay.has(result.id)))
      const failure = failures.get(result.id)
      if (isOutside) failures.clear()
      throwFailure(failure)
      return result
    },
    async launch(start) {
      await started()
      await start()
      if (runningTask() !== undefined) return
      await allEnded()
      const [failure] = failures.values()
      failures.clear()
      throwFailure(failure)
    },
    async close() {
      for (const end of listening) end()
      await (await worker)?.stop()
    },
  }
}
