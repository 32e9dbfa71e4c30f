import { callAll, type RunState, type SignalBus, type TaskSignal } from '../app/signals.js'
import { readTaskRequest, type Request } from './request.js'
import type { Log } from '../log.js'
import type { TaskContext } from '../app/task-context.js'
import { isExpected } from './outcome.js'
import type { TaskMessage } from '../serialization/task-message.js'
import type { Tracing } from '../app/tracing.js'

/** How a run ended, for those who are told of it. */
export type RunEnd =
  | { readonly state: 'SUCCESS'; readonly value: unknown }
  | { readonly state: 'FAILURE'; readonly value: unknown }
  | { readonly state: 'RETRY'; readonly value: unknown; readonly eta: Date | undefined }
  | { readonly state: 'REPLACED' | 'IGNORED' | 'REJECTED'; readonly value?: undefined }

/**
 * Tells the hooks of tasks and the listeners of signals what becomes of a request. Whoever has nobody to tell pays for a
 * look at one member.
 */
export interface Observer {
  /** Whether anybody is to be told of the runs of this request's task. */
  watches(this: void, request: Request): boolean
  received(this: void, request: Request): void
  /** @returns a promise only where somebody else's function does; it does not reject. */
  starts(this: void, request: Request): void | Promise<void>
  /** @param startedAt - by {@link ObserverParts.passedMs}. */
  ended(this: void, request: Request, end: RunEnd, startedAt: number): void | Promise<void>
  /** It does not run. */
  revoked(
    this: void,
    message: TaskMessage,
    why: { readonly isExpired: boolean; readonly isTerminated: boolean },
  ): void
  unknown(this: void, message: TaskMessage): void
}

export interface ObserverParts {
  readonly signals: SignalBus
  readonly tracing: Tracing | undefined
  readonly hostname: string
  readonly passedMs: () => number
  /** What a hook has in hand. */
  readonly context: (request: Request) => TaskContext
  readonly log: Log
}

export function createObserver(parts: ObserverParts): Observer {
  const { signals, tracing, hostname, context, log } = parts
  const logsTasks = log.isLevelEnabled('info')

  const signalOf = (message: TaskMessage): TaskSignal => ({
    taskId: message.id,
    task: message.task,
    request: readTaskRequest(message, hostname),
  })

  const callHooks = (
    { message }: Request,
    hooks: readonly (readonly [name: string, call: () => unknown])[],
  ): void | Promise<void> => {
    let running = ''
    return callAll(
      hooks.map(([name, call]) => () => {
        running = name
        return call()
      }),
      (error) => {
        const about = { err: error, taskId: message.id, task: message.task, hook: running }
        log.error(about, `the hook ${running} of ${message.task}[${message.id}] failed`)
      },
    )
  }

  const emitEnd = (message: TaskMessage, end: RunEnd, startedAt: number): void | Promise<void> => {
    const signal = { ...signalOf(message), runtimeMs: parts.passedMs() - startedAt }
    const { state, value } = end
    const told = (): void | Promise<void> => {
      switch (end.state) {
        case 'SUCCESS':
          return signals.emit('taskSuccess', { ...signal, result: value })
        case 'FAILURE':
          return signals.emit('taskFailure', { ...signal, error: value })
        case 'RETRY':
          return signals.emit('taskRetry', { ...signal, reason: value, eta: end.eta })
        default:
      }
    }
    return inTurn(told(), () => signals.emit('taskPostrun', { ...signal, state, value }))
  }

  const hasListeners = (): boolean =>
    signals.has('taskPrerun') ||
    signals.has('taskPostrun') ||
    signals.has('taskSuccess') ||
    signals.has('taskFailure') ||
    signals.has('taskRetry')

  return {
    watches: ({ task }) => task.hooks !== undefined || tracing !== undefined || hasListeners(),
    received({ message }) {
      if (logsTasks)
        log.info({ taskId: message.id, task: message.task }, `Task ${message.task}[${message.id}] received`)
      if (signals.has('taskReceived')) void signals.emit('taskReceived', signalOf(message))
    },
    starts(request) {
      const { message, task } = request
      const told = signals.has('taskPrerun') ? signals.emit('taskPrerun', signalOf(message)) : undefined
      const { beforeStart } = task.hooks ?? {}
      if (beforeStart === undefined) return told
      return inTurn(told, () => callHooks(request, [['beforeStart', () => beforeStart(context(request))]]))
    },
    ended(request, end, startedAt) {
      const { message, task } = request
      const { hooks } = task
      let told =
        hooks === undefined ? undefined : callHooks(request, hooksAfter(hooks, end, context(request)))
      if (hasListeners()) told = inTurn(told, () => emitEnd(message, end, startedAt))
      if (tracing === undefined) return told
      return inTurn(told, () => tracing.ended(message, { ...end, isExpected: isExpected(task, end.value) }))
    },
    revoked(message, why) {
      tracing?.ended(message, { state: 'REVOKED' })
      if (signals.has('taskRevoked')) void signals.emit('taskRevoked', { ...signalOf(message), ...why })
    },
    unknown({ id: taskId, task }) {
      if (signals.has('taskUnknown')) void signals.emit('taskUnknown', { taskId, task })
    },
  }
}

function hooksAfter(
  { onSuccess, onFailure, onRetry, afterReturn }: NonNullable<Request['task']['hooks']>,
  { state, value }: RunEnd,
  task: TaskContext,
): (readonly [name: string, call: () => unknown])[] {
  const byState: Partial<
    Record<RunState, readonly [string, ((value: unknown, task: TaskContext) => unknown) | undefined]>
  > = {
    SUCCESS: ['onSuccess', onSuccess],
    FAILURE: ['onFailure', onFailure],
    RETRY: ['onRetry', onRetry],
  }
  const [name, hook] = byState[state] ?? []
  return [
    ...(name === undefined || hook === undefined ? [] : [[name, () => hook(value, task)] as const]),
    ...(afterReturn === undefined ? [] : [['afterReturn', () => afterReturn(state, value, task)] as const]),
  ]
}

function inTurn(before: void | Promise<void>, next: () => void | Promise<void>): void | Promise<void> {
  return before === undefined ? next() : before.then(next)
}
