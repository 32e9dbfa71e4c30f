import { formatChordPart } from '../serialization/chord-part.js'
import { keepsErrors, resultSerializer, storedResult } from './request.js'
import { waitedFor } from '../canvas/waiting.js'
import type { ChordPart } from '../results/chords.js'
import type { ExceptionObject } from '../serialization/exceptions.js'
import type { RegisteredTask } from '../app/registered-task.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { Settings } from '../app/settings.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { StoredResult } from '../results/result-backend.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** A chord's part on its way, with what completing the chord takes. */
export interface PendingPart extends ChordPart {
  readonly body: SignatureData
  /** The task that brings it, to be the parent of the body. */
  readonly message: TaskMessage
}

/** All that is recorded when a task ends. */
export interface Ending {
  readonly results: readonly StoredResult[]
  readonly parts: readonly PendingPart[]
}

/** The end of a task that will not be tried again. */
export interface FailedState {
  readonly status: 'FAILURE' | 'REVOKED'
  readonly result: ExceptionObject
  readonly traceback?: string
  /** What the task had started; not told of what was to follow it. */
  readonly children?: readonly ResultTuple[]
  readonly dateDone: Date
}

/**
 * What a task's chord is told: undefined where it is in none. A failure that cannot be written loses its details.
 *
 * @throws EncodeError for what is no failure.
 */
export function partOf(
  message: TaskMessage,
  status: string,
  result: unknown,
  settings: Settings,
): PendingPart | undefined {
  const { id: taskId, group: groupId, groupIndex, chord: body } = message
  if (body === undefined || groupId === undefined) return undefined
  const chordSize = typeof body['chord_size'] === 'number' ? body['chord_size'] : undefined
  const textOf = (told: unknown): string | Uint8Array =>
    formatChordPart({ taskId, status, result: told }, settings.jsonForm, resultSerializer(settings))
  let text: string | Uint8Array
  try {
    text = textOf(result)
  } catch (error) {
    if (status === 'SUCCESS') throw error
    text = textOf({ ...(result as ExceptionObject), exc_message: [(error as Error).message] })
  }
  return { groupId, groupIndex, taskId, status, text, chordSize, body, message }
}

/**
 * A failure of a task, and of all that was to follow it in its chain: whoever waits for a later step, a chord among
 * them, learns here that it will not come (wire protocol, section 12.3).
 *
 * @param task - undefined where it is not known here.
 */
export function failedEnding(
  message: TaskMessage,
  task: RegisteredTask | undefined,
  state: FailedState,
  settings: Settings,
  hostname: string,
): Ending {
  const isKept = task === undefined ? !message.ignoreResult : keepsErrors(message, task, settings)
  const own = partOf(message, state.status, state.result, settings)
  const later = endingOf(message.chain, message, { ...state, children: [] }, settings, hostname)
  return {
    results: [...(isKept ? [storedResult(message, settings, hostname, state, task)] : []), ...later.results],
    parts: [...(own === undefined ? [] : [own]), ...later.parts],
  }
}

/**
 * The same failure for signatures that will not be sent.
 *
 * @param message - the task because of which.
 * @param started - what the failure of some tasks has started, by their ids.
 */
export function endingOf(
  signatures: readonly SignatureData[],
  message: TaskMessage,
  state: FailedState,
  settings: Settings,
  hostname: string,
  started?: ReadonlyMap<string, readonly ResultTuple[]>,
): Ending {
  const results: StoredResult[] = []
  const parts: PendingPart[] = []
  for (const { data, taskId, groupId, groupIndex, chord } of signatures.flatMap(waitedFor)) {
    const place = { id: taskId, group: groupId, groupIndex, chord, parentId: undefined }
    const instead = { ...message, task: data.task, args: data.args, kwargs: data.kwargs, ...place }
    const children = started?.get(taskId) ?? state.children
    results.push(storedResult(instead, settings, hostname, children ? { ...state, children } : state))
    const part = partOf(instead, state.status, state.result, settings)
    if (part !== undefined) parts.push({ ...part, message })
  }
  return { results, parts }
}
