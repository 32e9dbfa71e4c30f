/**
 * What whoever brought the last part of a chord owes (wire protocol, sections 11.3 and 11.4; decision 7): the body, or
 * the failure of all that waits for it.
 *
 * Every step may be repeated: the body and what follows it have their ids already, and the chord is ended last. The
 * message of the last part is acknowledged after that.
 */
import { pythonRepr } from '../serialization/python-repr.js'
import { describeThrown, readException, type ExceptionObject } from '../serialization/exceptions.js'
import { errbacksOf } from '../canvas/waiting.js'
import { isGroup } from '../canvas/signature-data.js'
import { endingOf, type Ending, type PendingPart } from './ending.js'
import { joinGroup } from './join-group.js'
import { persist, type Persistence } from './persist.js'
import { isPassing, untilSent } from './until-sent.js'
import type { CallErrbacks, Failure } from './errbacks.js'
import type { Clock } from '../clock.js'
import type { Log } from '../log.js'
import type { PrepareCanvas } from '../app/apply-canvas.js'
import type { ResultBackend } from '../results/result-backend.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { ReturnedPart } from '../serialization/chord-part.js'
import type { Settings } from '../app/settings.js'
import type { TaskMessage } from '../serialization/task-message.js'
import type { Tracing } from '../app/tracing.js'

export interface ChordCompletionParts {
  readonly settings: Settings
  readonly hostname: string
  readonly backend: ResultBackend
  readonly prepareCanvas: PrepareCanvas
  readonly callErrbacks: CallErrbacks
  readonly tracing: Tracing | undefined
  readonly clock: Clock
  readonly log: Log
  /** Record the end of a body that does not run. Resolves when it is recorded. */
  readonly record: (ending: Ending, message: TaskMessage) => Promise<void>
}

/** @returns false where it was given up, as the worker stops. */
export type CompleteChord = (part: PendingPart, persistence: Persistence) => Promise<boolean>

/** What the parts of a header come to: the body's argument, or why there is none. */
type Joined =
  | {
      readonly kind: 'results'
      readonly results: readonly unknown[]
      readonly links?: readonly string[] | undefined
    }
  | { readonly kind: 'failed'; readonly why: string; readonly cause: ExceptionObject }

/** As many as the SDK keeps of a span, unless it is told otherwise. */
const MOST_LINKS = 128

export function createCompleteChord(parts: ChordCompletionParts): CompleteChord {
  const { settings, hostname, backend, prepareCanvas, callErrbacks, record, tracing, clock, log } = parts

  const join = async (groupId: string): Promise<Joined> => {
    try {
      const returned = await backend.chords.parts(groupId)
      const failed = returned.find(({ status }) => status === 'FAILURE' || status === 'REVOKED')
      if (failed !== undefined) return failedBy(failed)
      const taskIds = returned.slice(0, MOST_LINKS).map(({ taskId }) => taskId)
      const links = tracing?.traceOf && (await backend.chords.traces(groupId, taskIds))
      const structure = await backend.restoreGroup(groupId)
      if (structure === undefined)
        return { kind: 'results', results: returned.map(({ result }) => result), links }
      const results = await joinGroup(backend, structure, settings.resultChordJoinTimeout * 1000)
      return { kind: 'results', results, links }
    } catch (error) {
      if (isPassing(error)) throw error
      const { exception } = describeThrown(error)
      return { kind: 'failed', why: `Join error: ${reprOf(exception)}`, cause: exception }
    }
  }

  const sendBody = async (
    { body, message }: PendingPart,
    results: readonly unknown[],
    persistence: Persistence,
  ): Promise<void> => {
    const parent = { parentId: message.id, rootId: message.rootId }
    const prepared = prepareCanvas(body, { args: [results] }, parent)
    await untilSent(persistence, () => prepared.send())
  }

  const failBody = async (
    { body, message }: PendingPart,
    why: string,
    cause: ExceptionObject,
    persistence: Persistence,
  ): Promise<void> => {
    log.warn({ taskId: message.id, group: message.group }, `a chord's body does not run: ${why}`)
    const chordError = { exc_type: 'ChordError', exc_message: [why], exc_module: 'celery.exceptions' }
    // Members of a group fail with what the header failed with, as in Celery.
    const result = isGroup(body) ? cause : chordError
    const state = { status: 'FAILURE', result, traceback: '', dateDone: new Date(clock.now()) } as const
    const started = await tellErrbacks({ body, message }, { exception: result, traceback: '' }, persistence)
    await record(endingOf([body], message, state, settings, hostname, started), message)
  }

  /** @returns the children of each task that does not run: its errbacks and, as in Celery, those that were told before. */
  const tellErrbacks = async (
    { body, message }: Pick<PendingPart, 'body' | 'message'>,
    failure: Failure,
    persistence: Persistence,
  ): Promise<ReadonlyMap<string, readonly ResultTuple[]>> => {
    const children = new Map<string, readonly ResultTuple[]>()
    let told: readonly ResultTuple[] = []
    for (const { taskId, errbacks } of errbacksOf(body)) {
      const failed = { ...message, id: taskId, rootId: taskId, parentId: message.id }
      try {
        const sent = await callErrbacks(failed, errbacks, failure, persistence)
        if (sent !== undefined) told = [...told, sent]
      } catch (error) {
        if (persistence.signal.aborted) throw error
        log.error({ err: error, group: message.group }, 'an errback of a chord could not be sent')
      }
      children.set(taskId, told)
    }
    const groupId = isGroup(body) ? body.options['task_id'] : undefined
    if (typeof groupId === 'string') children.set(groupId, told)
    return children
  }

  const pay = async (part: PendingPart, joined: Joined, persistence: Persistence): Promise<void> => {
    if (joined.kind === 'failed') {
      await failBody(part, joined.why, joined.cause, persistence)
      return
    }
    try {
      await sendBody(part, joined.results, persistence)
    } catch (error) {
      if (persistence.signal.aborted) return
      const { exception } = describeThrown(error)
      await failBody(part, `Callback error: ${reprOf(exception)}`, exception, persistence)
    }
  }

  return async (part, persistence) => {
    const joined = await persist('read the parts of a chord', () => join(part.groupId), persistence)
    if (joined === undefined) return false
    try {
      const { value } = joined
      const links = value.kind === 'results' ? value.links : undefined
      const paid = (): Promise<void> => pay(part, value, persistence)
      await (tracing === undefined ? paid() : tracing.following(part.message, paid, links))
    } catch (error) {
      // Of a mistake of ours, as all else is tried until it succeeds: nobody should wait for the body for ever.
      if (!persistence.signal.aborted)
        log.error({ err: error, group: part.groupId }, 'a chord could not be completed')
    }
    if (persistence.signal.aborted) return false
    const ended = await persist('end a chord', () => backend.chords.end(part.groupId), persistence)
    return ended !== undefined
  }
}

function failedBy({ taskId, result }: ReturnedPart): Joined {
  const cause = readException(result)
  return { kind: 'failed', why: `Dependency ${taskId} raised ${reprOf(cause)}`, cause }
}

/** As Python shows an exception: `ValueError('no')`. */
function reprOf({ exc_type: type, exc_message: args }: ExceptionObject): string {
  return `${type}(${args.map((each) => pythonRepr(each)).join(', ')})`
}
