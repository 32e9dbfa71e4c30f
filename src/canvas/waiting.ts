import { signaturesIn } from './links.js'
import { bodyOf, isChain, isChord, isGroup, tasksOf, type SignatureData } from './signature-data.js'

/** A task of a frozen signature whose result is waited for, by its id or by a chord. */
export interface WaitedFor {
  readonly data: SignatureData
  readonly taskId: string
  readonly groupId: string | undefined
  readonly groupIndex: number | undefined
  /** The body of the chord that waits for it. */
  readonly chord: SignatureData | undefined
}

/** The tasks whose results will not come where a frozen signature is not run: all of it, and what follows it. */
export function waitedFor(data: SignatureData): WaitedFor[] {
  const { chain, chord, group_id: groupId } = data.options
  const later = ((chain ?? []) as readonly SignatureData[]).flatMap(waitedFor)
  return [...ownTasks(data, groupId as string | undefined, chord as SignatureData | undefined), ...later]
}

function ownTasks(
  data: SignatureData,
  groupId: string | undefined,
  chord: SignatureData | undefined,
): WaitedFor[] {
  if (isChain(data)) return tasksOf(data).flatMap(waitedFor)
  // Celery stores the failure of a step that is a chord under its own id as well.
  if (isChord(data)) return [...itself(data, undefined, undefined), ...waitedFor(bodyOf(data))]
  if (isGroup(data)) {
    // Its members leave the chord to it. Celery stores the failure under its id as well.
    const members = tasksOf(data).flatMap(waitedFor)
    const placed = members.map((task) => ({
      ...task,
      groupId: task.groupId ?? groupId,
      chord: task.chord ?? chord,
    }))
    return [...itself(data, undefined, undefined), ...placed]
  }
  return itself(data, groupId, chord)
}

function itself(
  data: SignatureData,
  groupId: string | undefined,
  chord: SignatureData | undefined,
): WaitedFor[] {
  const { task_id: taskId, group_index: groupIndex } = data.options
  if (typeof taskId !== 'string') return []
  return [{ data, taskId, groupId, groupIndex: groupIndex as number | undefined, chord }]
}

/** Those who are to be told that a chord's body will not run, and with which id. */
export function errbacksOf(body: SignatureData): { taskId: string; errbacks: readonly SignatureData[] }[] {
  if (isChord(body)) return errbacksOf(bodyOf(body))
  const own = signaturesIn(body.options, 'link_error')
  if (isGroup(body)) {
    return tasksOf(body)
      .flatMap(errbacksOf)
      .map(({ taskId, errbacks }) => ({ taskId, errbacks: [...errbacks, ...own] }))
  }
  const taskId = body.options['task_id']
  if (typeof taskId !== 'string') return []
  // A chain's errbacks are with each of its steps when it runs.
  const [first] = isChain(body) ? tasksOf(body) : []
  const errbacks = [...own, ...(first === undefined ? [] : signaturesIn(first.options, 'link_error'))]
  return [{ taskId, errbacks }]
}
