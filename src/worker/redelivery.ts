import { acksLate } from './request.js'
import type { Beginning } from './waiting-room.js'
import type { DeadLetterReason } from '../broker/broker.js'
import type { EarlierDeliveries } from '../serialization/earlier-deliveries.js'
import type { ExceptionObject } from '../serialization/exceptions.js'
import type { RegisteredTask } from '../app/registered-task.js'
import type { Settings } from '../app/settings.js'

/** Deliveries that were lost before their task began count a quarter, so that none of them goes on for ever. */
const UNBEGUN_PER_DELIVERY = 4

/** What nearly all tasks need to begin. */
const AT_ONCE: Beginning = { isNoted: false, isSuspect: false }

/** Why a message is not run again, and as what its task then fails. */
export interface Refusal {
  readonly reason: DeadLetterReason
  readonly exception: ExceptionObject
}

/** Whether what became of a message's earlier deliveries forbids to run it (decision 5); undefined: it may run. */
export function refuseRedelivery(
  { count, lost, hasBegun, history }: EarlierDeliveries,
  task: RegisteredTask,
  settings: Settings,
): Refusal | undefined {
  if (count === 0) return undefined
  const worker = history.at(-1)?.worker ?? 'its worker'
  if (hasBegun && !isRunAgain(task, settings)) {
    return refuseLost(`Worker exited prematurely: ${worker} was lost while it ran ${task.name}.`)
  }
  const limit = settings.taskMaxDeliveries
  if (lost < limit && count < limit * UNBEGUN_PER_DELIVERY) return undefined
  const times = count === 1 ? 'once' : `${count} times`
  const last = history.at(-1)
  const where = last?.worker === undefined ? '' : `, last to ${last.worker}`
  const why = last?.cause === 'MEMORY_LIMIT' ? ', where its child took more memory than it may' : ''
  return refusal(
    'TOO_MANY_DELIVERIES',
    `${task.name} was delivered ${times} without being acknowledged${where}${why}; ` +
      `the limit taskMaxDeliveries is ${limit}`,
  )
}

/** What a task needs to begin so that its loss, should it come, is told from one of a message that only waited. */
export function beginningOf(
  { lost, hasBegun }: EarlierDeliveries,
  task: RegisteredTask,
  settings: Settings,
): Beginning {
  const isNoted = acksLate(task, settings) && (lost > 0 || !isRunAgain(task, settings))
  return isNoted || hasBegun ? { isNoted, isSuspect: hasBegun } : AT_ONCE
}

/** `rejectOnWorkerLost` of the task, else the setting. */
export function isRunAgain({ options }: RegisteredTask, settings: Settings): boolean {
  return options.rejectOnWorkerLost ?? settings.taskRejectOnWorkerLost
}

/** Of a message whose task must not be run twice. */
export function refuseLost(message: string): Refusal {
  return refusal('WORKER_LOST', message)
}

function refusal(code: string, message: string): Refusal {
  const exception = { exc_type: 'WorkerLostError', exc_message: [message], exc_module: 'billiard.exceptions' }
  return { reason: { code, message }, exception }
}
