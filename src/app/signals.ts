import { didYouMean } from '../did-you-mean.js'
import { describeValue, InvalidArgumentError } from '../errors.js'
import type { Log } from '../log.js'
import type { TaskRequest } from './task-context.js'

/** A call on its way to its queue. */
export interface Publication {
  readonly taskId: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly queue: string
  readonly priority: number
  readonly retries: number
  readonly eta: Date | undefined
  /** Headers of the caller's own. A listener of `beforeTaskPublish` may add some, such as a `traceparent`. */
  readonly headers: Record<string, unknown>
}

/** A task in a worker. */
export interface TaskSignal {
  readonly taskId: string
  readonly task: string
  readonly request: TaskRequest
}

/** A task that has run. */
export interface RunSignal extends TaskSignal {
  /** Milliseconds. */
  readonly runtimeMs: number
}

/** How a run ended: a state that is stored, or an end without one. */
export type RunState = 'SUCCESS' | 'FAILURE' | 'RETRY' | 'REPLACED' | 'IGNORED' | 'REJECTED'

export interface WorkerSignal {
  /** Node name. */
  readonly hostname: string
}

export interface ChildSignal extends WorkerSignal {
  /** Of the process, or the thread. */
  readonly id: number
}

/** What listeners are told, by the signal's name: Celery's signals in camelCase. */
export interface Signals {
  /** Before a message is written; its headers may still be changed. */
  readonly beforeTaskPublish: Publication
  /** The message is in its queue. */
  readonly afterTaskPublish: Publication
  /** A worker took the message of a task that it knows, and will run it. */
  readonly taskReceived: TaskSignal
  /** Right before the function is called. */
  readonly taskPrerun: TaskSignal
  /** After every run, whatever became of it. */
  readonly taskPostrun: RunSignal & { readonly state: RunState; readonly value: unknown }
  readonly taskSuccess: RunSignal & { readonly result: unknown }
  readonly taskFailure: RunSignal & { readonly error: unknown }
  /** `eta` is undefined where it runs again at once. */
  readonly taskRetry: RunSignal & { readonly reason: unknown; readonly eta: Date | undefined }
  /** It does not run, or is ended, because it was revoked or has expired. */
  readonly taskRevoked: TaskSignal & { readonly isExpired: boolean; readonly isTerminated: boolean }
  /** A message of a task that this worker does not know. */
  readonly taskUnknown: Omit<TaskSignal, 'request'>
  /** Before a worker connects. */
  readonly workerInit: WorkerSignal
  /** It consumes. */
  readonly workerReady: WorkerSignal
  /** It was told to stop; tasks still run. */
  readonly workerShuttingDown: WorkerSignal
  /** It has stopped. */
  readonly workerShutdown: WorkerSignal
  /** In a child of a pool, before its first task: what is awaited here is ready for all of them. */
  readonly workerProcessInit: ChildSignal
  /** In a child that leaves; one that is killed tells nobody. It is killed after five seconds. */
  readonly workerProcessShutdown: ChildSignal
}

export type SignalName = keyof Signals
export type SignalListener<Name extends SignalName> = (signal: Signals[Name]) => unknown

/** Who listens to what. An error of a listener is logged, and does no other harm. */
export interface SignalBus {
  /** @returns ends the listening. */
  on<Name extends SignalName>(this: void, name: Name, listener: SignalListener<Name>): () => void
  /** Whether it is worth making the signal at all. */
  has(this: void, name: SignalName): boolean
  /** @returns a promise only where a listener does, and then settled after all of them; it does not reject. */
  emit<Name extends SignalName>(this: void, name: Name, signal: Signals[Name]): void | Promise<void>
}

type AnyListener = (signal: never) => unknown

const NAMES: ReadonlySet<string> = new Set<SignalName>([
  'beforeTaskPublish',
  'afterTaskPublish',
  'taskReceived',
  'taskPrerun',
  'taskPostrun',
  'taskSuccess',
  'taskFailure',
  'taskRetry',
  'taskRevoked',
  'taskUnknown',
  'workerInit',
  'workerReady',
  'workerShuttingDown',
  'workerShutdown',
  'workerProcessInit',
  'workerProcessShutdown',
])

/** @param log - Asked for when there is something to log. */
export function createSignalBus(log: () => Log): SignalBus {
  const listeners: Partial<Record<SignalName, readonly AnyListener[]>> = {}

  return {
    on(name, listener) {
      if (!NAMES.has(name)) {
        const meant = didYouMean(String(name), [...NAMES])
        throw new InvalidArgumentError(
          `signal: expected one of ${[...NAMES].join(', ')}, got ${describeValue(name)}` +
            (meant === undefined ? '' : `; did you mean ${meant}?`),
        )
      }
      if (typeof listener !== 'function') {
        throw new InvalidArgumentError(
          `listener of ${name}: expected a function, got ${describeValue(listener)}`,
        )
      }
      // Of its own, so that the same function may listen twice and each end its own.
      const own: AnyListener = (signal) => listener(signal)
      listeners[name] = [...(listeners[name] ?? []), own]
      return () => {
        const left = listeners[name]?.filter((each) => each !== own) ?? []
        if (left.length > 0) listeners[name] = left
        else delete listeners[name]
      }
    },
    has: (name) => listeners[name] !== undefined,
    emit(name, signal) {
      const all = listeners[name] ?? []
      return callAll(
        all.map((listener) => () => (listener as SignalListener<typeof name>)(signal)),
        (error) => {
          const { taskId, task } = signal as Partial<TaskSignal>
          log().error({ err: error, taskId, task, signal: name }, `a listener of the signal ${name} failed`)
        },
      )
    },
  }
}

/**
 * Call one after the other what must do no harm to its caller.
 *
 * @returns a promise only where one of them does; it does not reject.
 */
export function callAll(
  calls: readonly (() => unknown)[],
  onError: (error: unknown) => void,
): void | Promise<void> {
  let before: Promise<void> | undefined
  for (const call of calls) {
    if (before !== undefined) before = before.then(call).then(() => undefined, onError)
    else {
      try {
        const returned = call()
        if (returned instanceof Promise) before = returned.then(() => undefined, onError)
      } catch (error) {
        onError(error)
      }
    }
  }
  return before
}
