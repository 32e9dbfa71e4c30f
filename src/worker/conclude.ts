import { createFail } from './conclusions/failure.js'
import { createLose, createRetry } from './conclusions/again.js'
import { createSucceed } from './conclusions/success.js'
import type { Conclusion, ConclusionParts, OutcomeOf } from './conclusions/conclusion.js'
import type { Outcome } from './outcome.js'
import type { Uniqueness } from './uniqueness.js'

/** Whatever became of a task. */
export type Conclude = Conclusion<Outcome>

export interface ConcludeParts extends ConclusionParts {
  readonly uniqueness: Uniqueness
}

export function createConclude(parts: ConcludeParts): Conclude {
  const { messages, refusals, continuation, observer, monitors, uniqueness, log } = parts
  const fail = createFail(parts)
  const succeed = createSucceed(parts, fail)
  const tryAgain = createRetry(parts, fail)
  const lose = createLose(parts, fail)

  const handOver: Conclusion<OutcomeOf<'replace'>> = (request, delivery, { signature }, startedAt) =>
    continuation.sendReplacement(request, signature).then(
      () => {
        log.info({ taskId: request.message.id, by: signature.task }, 'a task was replaced')
        messages.settle(request.message, delivery)
        return observer.ended(request, { state: 'REPLACED' }, startedAt)
      },
      (error: unknown) => fail(request, delivery, { thrown: error }, startedAt),
    )

  const reject: Conclusion<OutcomeOf<'reject'>> = (request, delivery, { requeue, reason }, startedAt) => {
    const { message } = request
    if (delivery !== undefined && requeue) {
      monitors.current?.ended(message, { kind: 'rejected', requeue: true })()
      messages.requeue(delivery)
    } else if (delivery !== undefined) refusals.refuseRejected(message, delivery, reason)
    return observer.ended(request, { state: 'REJECTED' }, startedAt)
  }

  const conclude: Conclude = (request, delivery, outcome, startedAt) => {
    switch (outcome.kind) {
      case 'success':
        return succeed(request, delivery, outcome, startedAt)
      case 'failure':
        return fail(request, delivery, outcome, startedAt)
      case 'lost':
        return lose(request, delivery, outcome, startedAt)
      case 'retry':
        return tryAgain(request, delivery, outcome, startedAt)
      case 'replace':
        return handOver(request, delivery, outcome, startedAt)
      case 'ignore':
        messages.settle(request.message, delivery)
        return observer.ended(request, { state: 'IGNORED' }, startedAt)
      case 'reject':
        return reject(request, delivery, outcome, startedAt)
    }
  }

  return (request, delivery, outcome, startedAt) => {
    const givenBack = isEnd(outcome) ? uniqueness.ends(request.message) : undefined
    return givenBack === undefined
      ? conclude(request, delivery, outcome, startedAt)
      : givenBack.then(() => conclude(request, delivery, outcome, startedAt))
  }
}

/** It does not run again under this message. */
function isEnd(outcome: Outcome): boolean {
  return outcome.kind !== 'retry' && !(outcome.kind === 'reject' && outcome.requeue)
}
