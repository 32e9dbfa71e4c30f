import { hasFollowUps } from '../follow-up.js'
import { keepsResult, storedResult, type Request } from '../request.js'
import { partOf, type PendingPart } from '../ending.js'
import type { Conclusion, ConclusionParts, OutcomeOf } from './conclusion.js'
import type { Delivery } from '../../broker/broker.js'
import type { Fail } from './failure.js'
import type { Settings } from '../../app/settings.js'
import type { StoredResult } from '../../results/result-backend.js'
import type { TaskMessage } from '../../serialization/task-message.js'

/** Of a task that has returned: a failure all the same where its result, or what follows it, cannot be written. */
export function createSucceed(parts: ConclusionParts, fail: Fail): Conclusion<OutcomeOf<'success'>> {
  const { settings, hostname, messages, continuation, observer, monitors, clock, log, tally } = parts
  const logsTasks = log.isLevelEnabled('info')

  /** To the nanosecond, beyond which there are but errors of floats. */
  const runtimeSeconds = (startedAt: number): number => Math.round((clock.passedMs() - startedAt) * 1e6) / 1e9

  const resultOf = (
    { message, task }: Request,
    { value, children }: OutcomeOf<'success'>,
  ): StoredResult | undefined => {
    if (!keepsResult(message, task, settings)) return undefined
    const state = { status: 'SUCCESS', result: value, children, dateDone: new Date(clock.now()) }
    return storedResult(message, settings, hostname, state, task)
  }

  const succeeded = (
    request: Request,
    delivery: Delivery | undefined,
    value: unknown,
    result: StoredResult | undefined,
    startedAt: number,
  ): void | Promise<void> => {
    const { message } = request
    tally.succeeded++
    if (logsTasks) {
      const runtime = runtimeSeconds(startedAt)
      const text = `Task ${message.task}[${message.id}] succeeded in ${runtime}s`
      log.info({ taskId: message.id, task: message.task, runtime }, text)
    }
    const recorded = monitors.current?.ended(message, {
      kind: 'succeeded',
      value,
      runtimeSeconds: runtimeSeconds(startedAt),
    })
    const results = result === undefined ? [] : [result]
    messages.settle(message, delivery, results, partsOf(message, value, settings), recorded)
    return observer.ended(request, { state: 'SUCCESS', value }, startedAt)
  }

  return (request, delivery, outcome, startedAt) => {
    const { value, children } = outcome
    if (hasFollowUps(request.message)) {
      return continuation.afterSuccess(request, value, children).then(
        (result) => succeeded(request, delivery, value, result, startedAt),
        (error: unknown) => fail(request, delivery, { thrown: error }, startedAt),
      )
    }
    let result: StoredResult | undefined
    try {
      result = resultOf(request, outcome)
    } catch (error) {
      return fail(request, delivery, { thrown: error }, startedAt)
    }
    return succeeded(request, delivery, value, result, startedAt)
  }
}

/** What the chord that waits for this task is told: undefined for nearly all tasks. */
function partsOf(
  message: TaskMessage,
  value: unknown,
  settings: Settings,
): readonly PendingPart[] | undefined {
  if (message.chord === undefined) return undefined
  const part = partOf(message, 'SUCCESS', value, settings)
  return part && [part]
}
