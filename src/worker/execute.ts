import { SoftTimeLimitExceeded, TimeLimitExceeded } from '../app/outcomes.js'
import { asRunning, type RunningTask } from '../results/running-task.js'
import { createContext, type Request } from './request.js'
import { outcomeOfThrown, type Outcome } from './outcome.js'
import type { Execution, ExecutionParts, TimeLimits } from './pool/pool.js'

/**
 * Call the task's function. Never throws: whatever happens is the outcome.
 *
 * The event loop cannot end a function that does not return. When the hard limit is over its outcome is a
 * failure and its slot is free; what it does later has no effect on the result.
 */
export function execute(request: Request, limits: TimeLimits, parts: ExecutionParts): Execution {
  const { message, task } = request
  let controller: AbortController | undefined
  const theController = (): AbortController => (controller ??= new AbortController())
  const abort = (reason: unknown): void => theController().abort(reason)
  const context = (): ReturnType<typeof createContext> =>
    createContext(request, { ...parts, controller: theController })

  const { id, rootId, priority } = message
  const running: RunningTask = { id, name: message.task, rootId, priority, children: [] }
  const success = (value: unknown): Outcome => ({ kind: 'success', value, children: running.children })
  let returned: unknown
  parts.onStarted?.(process.pid)
  try {
    returned = asRunning(running, () => task.run(message.args, message.kwargs, context))
  } catch (thrown) {
    return { outcome: outcomeOfThrown(task, message.retries, thrown, running.children), abort }
  }
  if (!isPromise(returned)) return { outcome: success(returned), abort }
  const settled = returned.then(success, (thrown: unknown) =>
    outcomeOfThrown(task, message.retries, thrown, running.children),
  )
  if (!limits.hard && !limits.soft) return { outcome: settled, abort }
  return { outcome: withTimeLimits(settled, limits, abort), abort, returned: settled }
}

function withTimeLimits(
  settled: Promise<Outcome>,
  { hard, soft }: TimeLimits,
  abort: (reason: unknown) => void,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const timers: NodeJS.Timeout[] = []
    const finish = (outcome: Outcome): void => {
      for (const timer of timers) clearTimeout(timer)
      resolve(outcome)
    }
    if (soft) {
      const reason = new SoftTimeLimitExceeded(soft)
      timers.push(setTimeout(() => abort(reason), soft * 1000))
    }
    if (hard) {
      const thrown = new TimeLimitExceeded(hard)
      const onLimit = (): void => {
        abort(thrown)
        finish({ kind: 'failure', thrown })
      }
      timers.push(setTimeout(onLimit, hard * 1000))
    }
    void settled.then(finish)
  })
}

function isPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}
