import { asGroup } from '../canvas/plan.js'
import { childTuple } from './follow-up.js'
import { readTaskRequest } from './request.js'
import { untilSent } from './until-sent.js'
import type { ExceptionObject } from '../serialization/exceptions.js'
import type { Log } from '../log.js'
import type { Persistence } from './persist.js'
import type { PrepareCanvas } from '../app/apply-canvas.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { RegisteredTask, TaskLookup } from '../app/registered-task.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** What a task failed with. */
export interface Failure {
  readonly exception: ExceptionObject
  readonly traceback: string
  /** What was thrown, where that was in this process. */
  readonly thrown?: unknown
}

/**
 * Tell a failure to errbacks (wire protocol, section 12.6): those that are registered here and take the request, the
 * error and its traceback are called; all others are sent as one group, with the id of what failed.
 *
 * @returns what results tell of those that were sent; undefined where none was.
 * @throws InvalidSignatureError, EncodeError where they cannot be sent.
 */
export type CallErrbacks = (
  message: TaskMessage,
  errbacks: readonly SignatureData[],
  failure: Failure,
  persistence: Persistence,
) => Promise<ResultTuple | undefined>

export interface ErrbacksParts {
  readonly tasks: TaskLookup
  readonly prepareCanvas: PrepareCanvas
  readonly hostname: string
  readonly log: Log
}

export function createCallErrbacks(parts: ErrbacksParts): CallErrbacks {
  const { tasks, prepareCanvas, hostname, log } = parts

  const call = async (
    task: RegisteredTask,
    { args, kwargs, immutable }: SignatureData,
    message: TaskMessage,
    { exception, traceback, thrown }: Failure,
  ): Promise<void> => {
    const told = [readTaskRequest(message, hostname), thrown ?? exception, traceback]
    try {
      await task.run(immutable ? args : [...told, ...args], kwargs, () => {
        throw new TypeError(`an errback that is called has no context: ${task.name}`)
      })
    } catch (error) {
      log.error({ err: error, taskId: message.id, task: task.name }, 'an errback failed')
    }
  }

  return async (message, errbacks, failure, persistence) => {
    const sent: SignatureData[] = []
    for (const errback of errbacks) {
      const task = tasks.get(errback.task)
      if (task !== undefined && takesFailure(task, errback)) await call(task, errback, message, failure)
      else sent.push(errback)
    }
    if (sent.length === 0) return undefined
    const parent = { parentId: message.id, rootId: message.rootId }
    const prepared = prepareCanvas(asGroup(sent), { args: [message.id] }, parent)
    await untilSent(persistence, () => prepared.send())
    return childTuple(prepared)
  }
}

/** More than one argument is left for the failure to fill; a task with a context has to be sent to have one. */
function takesFailure(
  { required, options }: RegisteredTask,
  { args, kwargs, subtask_type }: SignatureData,
): boolean {
  if (options.bind === true || options.params !== undefined || subtask_type !== null) return false
  return required - args.length - Object.keys(kwargs).length > 1
}
