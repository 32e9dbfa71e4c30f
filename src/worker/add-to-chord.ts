import { createHash } from 'node:crypto'
import { InvalidSignatureError } from '../canvas/errors.js'
import { AsyncResult } from '../results/async-result.js'
import { startedTuple } from '../canvas/result-tree.js'
import { noteChild, runningTask } from '../results/running-task.js'
import type { PrepareCanvas } from '../app/apply-canvas.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { TaskMessage } from '../serialization/task-message.js'

export interface AddToChordParts {
  readonly prepareCanvas: PrepareCanvas
  readonly backend: ResultBackend
}

/**
 * Have the chord of which a task is a part wait for one more (wire protocol, section 11.3).
 *
 * @throws InvalidSignatureError where the task is no part of a chord, or what is added has more than one result.
 */
export async function addToChord(
  { task, id, rootId, group, groupIndex, chord }: TaskMessage,
  data: SignatureData,
  { prepareCanvas, backend }: AddToChordParts,
): Promise<AsyncResult> {
  if (chord === undefined || group === undefined) {
    throw new InvalidSignatureError(`addToChord: ${task}[${id}] is no part of a chord`)
  }
  const taskId = data.options['task_id'] ?? nextChildId(id)
  const options = { chord, group_id: group, group_index: groupIndex, task_id: taskId }
  const prepared = prepareCanvas(data, { options }, { parentId: id, rootId })
  const { result } = prepared
  if (result.children !== undefined) {
    throw new InvalidSignatureError(
      `addToChord: ${data.task} has more than one result: add its members one by one`,
    )
  }
  await backend.chords.extend(group, [result.id])
  await prepared.send()
  noteChild(startedTuple(result))
  return new AsyncResult(result.id, backend)
}

/**
 * The id of what a task is about to add: the same when the task runs again. With another, a chord that was told of
 * the first would wait for it for ever where the worker died before it was sent.
 */
function nextChildId(taskId: string): string {
  const hash = createHash('sha256').update(`${taskId} ${runningTask()?.children.length ?? 0}`)
  const [a, b, c, d, e] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(hash.digest('hex'))?.slice(1) ?? []
  // A UUID of a form of its own (version 8).
  return `${a}-${b}-8${c}-8${d}-${e}`
}
