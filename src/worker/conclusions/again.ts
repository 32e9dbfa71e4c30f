import { describeThrown } from '../../serialization/exceptions.js'
import { isRunAgain, refuseLost } from '../redelivery.js'
import type { Conclusion, ConclusionParts, OutcomeOf } from './conclusion.js'
import type { Fail } from './failure.js'
import type { Retry } from '../../app/outcomes.js'
import type { RunEnd } from '../observer.js'
import type { TaskEnd } from '../monitors.js'

/** Of a task that asks for another try, which is a message of its own. */
export function createRetry(parts: ConclusionParts, fail: Fail): Conclusion<OutcomeOf<'retry'>> {
  const { messages, continuation, observer, monitors, tally } = parts

  return (request, delivery, { retry, children = [] }, startedAt) => {
    tally.retried++
    const end: RunEnd = { state: 'RETRY', value: retry.cause ?? retry, eta: retry.when }
    const recorded = monitors.current?.ended(request.message, retried(retry))
    return (
      messages
        .recorded(request, continuation.beforeRetry(request, retry, children))
        // Before the next run can begin, and be told of.
        .then(() => {
          recorded?.()
          return observer.ended(request, end, startedAt)
        })
        .then(() => continuation.sendRetry(request, retry))
        .then(
          () => messages.settle(request.message, delivery),
          (error: unknown) => fail(request, delivery, { thrown: error }, startedAt),
        )
    )
  }
}

/**
 * Of a task whose child has died: its message runs again, counted as lost (decision 5), where its author does not forbid
 * that.
 */
export function createLose(parts: ConclusionParts, fail: Fail): Conclusion<OutcomeOf<'lost'>> {
  const { settings, messages, refusals, observer, monitors, log } = parts

  return (request, delivery, { thrown: error, cause }, startedAt) => {
    if (delivery === undefined) return fail(request, delivery, { thrown: error }, startedAt)
    const { message, task } = request
    const text = `Task ${message.task}[${message.id}] was lost: ${error.message}`
    log.error({ taskId: message.id, task: message.task }, text)
    if (isRunAgain(task, settings)) {
      monitors.current?.ended(message, { kind: 'rejected', requeue: true })()
      messages.putBackLost(delivery, cause)
      return observer.ended(request, { state: 'REJECTED' }, startedAt)
    }
    return refusals
      .giveUp(request, refuseLost(error.message))
      .then(() => observer.ended(request, { state: 'FAILURE', value: error }, startedAt))
  }
}

function retried({ cause }: Retry): TaskEnd {
  const { exception, traceback } = describeThrown(cause)
  return { kind: 'retried', exception: cause === undefined ? undefined : exception, traceback }
}
