import { describeValue, InvalidArgumentError } from '../errors.js'
import type { AnySignature } from '../canvas/signature-types.js'
import type { Schedule } from '../schedules/schedule.js'

/** A call that beat sends again and again. */
export interface PeriodicTask {
  readonly name: string
  readonly schedule: Schedule
  readonly signature: AnySignature
}

/**
 * A periodic task beside `others`.
 *
 * @param name - The default is made from the call.
 * @throws InvalidArgumentError where one of the others has its name, or the call is more than one task.
 */
export function periodicTask(
  schedule: Schedule,
  signature: AnySignature,
  name: string | undefined,
  others: readonly PeriodicTask[],
): PeriodicTask {
  const { subtask_type: kind } = signature
  if (kind === 'chain' || kind === 'group' || kind === 'chord') {
    throw new InvalidArgumentError(
      `a periodic task has to be one task, got a ${kind}: start it from a task, and have that one sent`,
    )
  }
  const task = { name: name ?? `${signature.task}(${schedule.describe()})`, schedule, signature }
  if (others.some((other) => other.name === task.name)) {
    throw new InvalidArgumentError(`a periodic task ${describeValue(task.name)} exists already`)
  }
  return task
}
