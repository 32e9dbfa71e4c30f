import { describeThrown } from '../../serialization/exceptions.js'
import { isExpected } from '../outcome.js'
import type { Conclusion, ConclusionParts, OutcomeOf } from './conclusion.js'
import type { RegisteredTask } from '../../app/registered-task.js'
import type { RunEnd } from '../observer.js'
import type { Settings } from '../../app/settings.js'

/** What was thrown, and what the task had started by then. */
export type Fail = Conclusion<Pick<OutcomeOf<'failure'>, 'thrown' | 'children'>>

/** Of a task that has failed, or whose end could not be concluded otherwise: stored before its errbacks are called. */
export function createFail(parts: ConclusionParts): Fail {
  const { settings, messages, continuation, observer, monitors, log, tally } = parts

  return (request, delivery, { thrown, children = [] }, startedAt) => {
    const { message, task } = request
    tally.failed++
    const { exception, traceback } = describeThrown(thrown)
    const text = `Task ${message.task}[${message.id}] raised ${exception.exc_type}`
    const fields = { taskId: message.id, task: message.task, retries: message.retries }
    if (isExpected(task, thrown)) log.info(fields, `${text}, which it may`)
    else log.error({ ...fields, err: thrown }, text)
    const { results, parts: chordParts } = continuation.afterFailure(request, exception, traceback, children)
    const end: RunEnd = { state: 'FAILURE', value: thrown }
    const recorded = monitors.current?.ended(message, { kind: 'failed', exception, traceback })
    const isBuried = delivery !== undefined && !acksOnFailure(task, settings)
    if (message.errbacks.length === 0 && !isBuried) {
      messages.settle(message, delivery, results, chordParts, recorded)
      return observer.ended(request, end, startedAt)
    }
    return messages
      .recorded(request, results, chordParts)
      .then(() => continuation.callErrbacks(request, { exception, traceback, thrown }))
      .catch((error: unknown) => {
        log.error({ err: error, taskId: message.id }, 'an errback could not be sent')
      })
      .then(() => {
        if (isBuried) messages.bury(delivery, { code: 'TASK_FAILED', message: text }, message.id)
        else messages.settle(message, delivery)
        recorded?.()
        return observer.ended(request, end, startedAt)
      })
  }
}

/** `acksOnFailureOrTimeout` of the task, else the setting. */
function acksOnFailure({ options }: RegisteredTask, settings: Settings): boolean {
  return options.acksOnFailureOrTimeout ?? settings.taskAcksOnFailureOrTimeout
}
