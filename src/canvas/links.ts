/** Where callbacks and errbacks of a signature go (wire protocol, sections 12.3, 12.5 and 12.6). */
import { isDeepStrictEqual } from 'node:util'
import {
  bodyOf,
  headerOf,
  isChord,
  isGiven,
  isGroup,
  tasksOf,
  withHeader,
  withKwargs,
  withOptions,
  type Options,
  type SignatureData,
} from './signature-data.js'

/** The signatures under an option that may hold one, a list, or nothing. */
export function signaturesIn(options: Options, name: 'link' | 'link_error'): readonly SignatureData[] {
  const value = options[name]
  if (!isGiven(value)) return []
  return Array.isArray(value) ? (value as readonly SignatureData[]) : [value as SignatureData]
}

/**
 * Have callbacks follow a success: of a task, of the last step of a chain, of a chord's body. A group has no success of
 * its own: as in Celery they follow its first member, and get no result.
 */
export function linkTo(data: SignatureData, callbacks: readonly SignatureData[]): SignatureData {
  if (callbacks.length === 0) return data
  if (isChord(data)) return withKwargs(data, { body: linkTo(bodyOf(data), callbacks) })
  if (!isGroup(data)) return appended(data, 'link', callbacks)
  const [first, ...others] = tasksOf(data)
  if (first === undefined) return appended(data, 'link', callbacks)
  const immutable = callbacks.map((callback) => ({ ...callback, immutable: true }))
  return withKwargs(data, { tasks: [linkTo(first, immutable), ...others] })
}

/**
 * How far errbacks of a chord go: to its body only; also to chords in its header, as of Celery's `link_error`; to all
 * tasks of its header (Celery's `task_allow_error_cb_on_chord_header`).
 */
export type ErrbackReach = 'body' | 'chords' | 'header'

/** Have errbacks follow a failure: of a task, of any step of a chain, of any member of a group, of a chord's body. */
export function linkErrorTo(
  data: SignatureData,
  errbacks: readonly SignatureData[],
  reach: ErrbackReach,
): SignatureData {
  if (errbacks.length === 0) return data
  const linked = (each: SignatureData): SignatureData => linkErrorTo(each, errbacks, reach)
  if (isGroup(data)) return withKwargs(data, { tasks: tasksOf(data).map(linked) })
  if (!isChord(data)) return appended(data, 'link_error', errbacks)
  const withBody = withKwargs(data, { body: linked(bodyOf(data)) })
  if (reach === 'body') return withBody
  const header = headerOf(data).map((each) => (reach === 'header' || isChord(each) ? linked(each) : each))
  return withHeader(withBody, header)
}

/** What is there already is not added again. */
function appended(
  data: SignatureData,
  name: 'link' | 'link_error',
  signatures: readonly SignatureData[],
): SignatureData {
  const present = signaturesIn(data.options, name)
  const all = [...present]
  for (const each of signatures) if (!all.some((other) => isDeepStrictEqual(each, other))) all.push(each)
  return all.length === present.length ? data : withOptions(data, { [name]: all })
}
