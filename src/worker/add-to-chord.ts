import { InvalidSignatureError } from '../canvas/errors.js'
import { AsyncResult } from '../results/async-result.js'
import { firstOf } from '../canvas/freeze.js'
import { tupleOf } from '../canvas/result-tree.js'
import { noteChild } from '../results/running-task.js'
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
  const options = { chord, group_id: group, group_index: groupIndex }
  const prepared = prepareCanvas(data, { options }, { parentId: id, rootId })
  const { result } = prepared
  if (result.children !== undefined) {
    throw new InvalidSignatureError(
      `addToChord: ${data.task} has more than one result: add its members one by one`,
    )
  }
  await backend.chords.extend(group, [result.id])
  await prepared.send()
  noteChild(tupleOf(firstOf(result)))
  return new AsyncResult(result.id, backend)
}
