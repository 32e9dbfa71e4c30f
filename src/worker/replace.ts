import { compose } from '../canvas/compose.js'
import { InvalidSignatureError } from '../canvas/errors.js'
import { isChain, isGroup, taskData, tasksOf, withKwargs, withOptions } from '../canvas/signature-data.js'
import { linkErrorTo, linkTo, type ErrbackReach } from '../canvas/links.js'
import type { PartialCall } from '../canvas/signature-types.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { TaskMessage } from '../serialization/task-message.js'

/**
 * What runs instead of a task, with its callbacks and errbacks (wire protocol, section 12.8). The results of a group
 * become one list, so that they can take the place of one result.
 *
 * @throws InvalidSignatureError for one that is a part of a chord already, or has no task.
 */
export function replacement(message: TaskMessage, data: SignatureData, reach: ErrbackReach): SignatureData {
  if (data.options['chord'] !== undefined) {
    throw new InvalidSignatureError(`replace: ${data.task} is a part of a chord already`)
  }
  if (isChain(data) && tasksOf(data).length === 0)
    throw new InvalidSignatureError('replace: the chain has no task')
  const last = isChain(data) ? tasksOf(data).at(-1) : data
  const isPlural = last !== undefined && isGroup(last)
  const single = isPlural
    ? compose([data, taskData('celery.accumulate', { kwargs: { index: 0 } })], reach)
    : data
  const nesting = { replaced_task_nesting: message.replacedTaskNesting + 1 }
  const nested = isChain(single)
    ? withKwargs(single, { tasks: tasksOf(single).map((task) => withOptions(task, nesting)) })
    : withOptions(single, nesting)
  return linkErrorTo(linkTo(nested, message.callbacks), message.errbacks, reach)
}

/** The place that a replacement takes: the task's id, chain, group and chord. */
export function placeOf({ id, chain, chord, group, groupIndex }: TaskMessage): PartialCall {
  return {
    options: {
      task_id: id,
      chain: chain.length > 0 ? chain : null,
      chord,
      group_id: group,
      group_index: groupIndex,
    },
  }
}
