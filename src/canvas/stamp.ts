/**
 * Stamping: writing values of the caller's own into signatures, and into all that they are made of, so that their messages
 * can be told by them (wire protocol, section 12.9). A stamp is an option whose name is listed in `stamped_headers`.
 *
 * @see Celery 5.6, `canvas.py`: `Signature.stamp`, `_merge_dictionaries`, and `stamp` of chain, group and chord
 */
import { InvalidArgumentError, describeValue } from '../errors.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import { signaturesIn } from './links.js'
import { wireOptionName } from './option-names.js'
import {
  bodyOf,
  groupData,
  headerOf,
  isChain,
  isChord,
  isGroup,
  tasksOf,
  withHeader,
  withKwargs,
  withOptions,
  type Options,
  type SignatureData,
} from './signature-data.js'
import type { Signature } from './signature-types.js'

/** Stamps by their names. Lists of stamps of one name are put together. */
export type Stamps = Readonly<Record<string, unknown>>

/** What to stamp with. With `stampedHeaders`, only those that it names are stamps, and all else are plain options. */
export type StampsGiven = Stamps & { readonly stampedHeaders?: readonly string[] }

/**
 * Says what each part of a canvas is stamped with; Celery's `StampingVisitor`. Every method gets the part and the stamps
 * that it has from around it, which stay where it says something else of the same name.
 */
export interface StampingVisitor {
  /** A task, each one: also in a canvas, and of links after `onCallback` or `onErrback`. */
  onSignature(part: Signature<unknown>, stamps: Stamps): StampsGiven | undefined
  /** What it returns is for all members. */
  onGroupStart?(group: Signature<unknown>, stamps: Stamps): StampsGiven | undefined
  onGroupEnd?(group: Signature<unknown>, stamps: Stamps): void
  onChainStart?(chain: Signature<unknown>, stamps: Stamps): StampsGiven | undefined
  onChainEnd?(chain: Signature<unknown>, stamps: Stamps): void
  /** @default `onGroupStart` with the header as a group */
  onChordHeaderStart?(chord: Signature<unknown>, stamps: Stamps): StampsGiven | undefined
  /** @default `onGroupEnd` */
  onChordHeaderEnd?(chord: Signature<unknown>, stamps: Stamps): void
  /** What it returns is for the body. */
  onChordBody?(chord: Signature<unknown>, stamps: Stamps): StampsGiven | undefined
  onCallback?(callback: Signature<unknown>, stamps: Stamps): StampsGiven | undefined
  onErrback?(errback: Signature<unknown>, stamps: Stamps): StampsGiven | undefined
}

export interface StampingParts {
  readonly visitor: StampingVisitor | undefined
  /** Make a list of stamps of one name; otherwise the outer, and of the same signature the later, one stays. */
  readonly appends: boolean
  /** A part as the visitor sees it. */
  readonly show: (data: SignatureData) => Signature<unknown>
}

/** Options to be written, and which of these are stamps. */
interface Headers {
  readonly values: Options
  readonly stamped: readonly string[]
}

/** The same signature with stamps on each of its tasks, and of what is linked to these. */
export function stampData(data: SignatureData, stamps: StampsGiven, parts: StampingParts): SignatureData {
  const { visitor } = parts
  if (visitor !== undefined && typeof visitor.onSignature !== 'function') {
    throw new InvalidArgumentError(
      `stamp: expected a visitor with a method onSignature, got ${describeValue(visitor)}`,
    )
  }
  return createStamper(parts)(data, headersOf(stamps, 'stamp'))
}

type Stamp = (data: SignatureData, headers: Headers) => SignatureData

function createStamper({ visitor, appends, show }: StampingParts): Stamp {
  const around = (headers: Headers, given: StampsGiven | undefined, method: string): Headers =>
    given === undefined ? headers : merged(headers, headersOf(given, method), appends)

  const stamp: Stamp = (data, headers) => {
    if (isChain(data)) return stampMembers(data, headers, 'Chain')
    if (isGroup(data)) return stampMembers(data, headers, 'Group')
    return isChord(data) ? stampChord(data, headers) : stampTask(data, headers)
  }

  const stampTask: Stamp = (data, headers) => {
    const linked = stampLinks(data, headers)
    const given = visitor?.onSignature(show(linked), headers.values)
    const { values, stamped } = withOwn(around(headers, given, 'onSignature'), data, appends)
    return withOptions(linked, { ...values, stamped_headers: stamped })
  }

  const stampMembers = (data: SignatureData, headers: Headers, kind: 'Chain' | 'Group'): SignatureData => {
    const given = visitor?.[`on${kind}Start`]?.(show(data), headers.values)
    const all = withOwn(around(headers, given, `on${kind}Start`), data, appends)
    const tasks = tasksOf(data).map((task) => stamp(task, all))
    const stamped = withKwargs(stampLinks(data, all), { tasks })
    visitor?.[`on${kind}End`]?.(show(stamped), all.values)
    return stamped
  }

  const stampChord: Stamp = (data, headers) => {
    const asGroup = (chord: SignatureData): Signature<unknown> => show(groupData(headerOf(chord)))
    const given =
      visitor?.onChordHeaderStart === undefined
        ? visitor?.onGroupStart?.(asGroup(data), headers.values)
        : visitor.onChordHeaderStart(show(data), headers.values)
    const all = withOwn(around(headers, given, 'onChordHeaderStart'), data, appends)
    const members = headerOf(data).map((member) => stamp(member, all))
    const stamped = withHeader(stampLinks(data, all), members)
    if (visitor === undefined) return stamped
    if (visitor.onChordHeaderEnd === undefined) visitor.onGroupEnd?.(asGroup(stamped), all.values)
    else visitor.onChordHeaderEnd(show(stamped), all.values)
    const forBody = around(all, visitor.onChordBody?.(show(stamped), all.values), 'onChordBody')
    return withKwargs(stamped, { body: stamp(bodyOf(data), withOwn(forBody, data, appends)) })
  }

  /** Links have none of the stamps of what they are linked to. */
  const stampLinks: Stamp = (data, headers) => {
    const stampAll = (name: 'link' | 'link_error', method: 'onCallback' | 'onErrback'): Options => {
      const links = signaturesIn(data.options, name)
      if (links.length === 0) return {}
      const stamped = links.map((link) =>
        stamp(link, around(headers, visitor?.[method]?.(show(link), headers.values), method)),
      )
      return { [name]: stamped }
    }
    const linked = { ...stampAll('link', 'onCallback'), ...stampAll('link_error', 'onErrback') }
    return Object.keys(linked).length === 0 ? data : withOptions(data, linked)
  }

  return stamp
}

function headersOf(given: unknown, where: string): Headers {
  if (!isPlainRecord(given)) {
    throw new InvalidArgumentError(`${where}: expected stamps as an object, got ${describeValue(given)}`)
  }
  const { stampedHeaders, ...all } = given
  const names = Object.keys(all).filter((name) => all[name] !== undefined)
  const stamped = stampedHeaders === undefined ? names : stampedHeaders
  if (!isListOfTexts(stamped)) {
    throw new InvalidArgumentError(
      `${where}: expected names of stamps as stampedHeaders, got ${describeValue(stamped)}`,
    )
  }
  const wireName = (name: string): string => (stamped.includes(name) ? name : wireOptionName(name))
  return { values: Object.fromEntries(names.map((name) => [wireName(name), all[name]])), stamped }
}

/** With the stamps that a signature has. */
function withOwn(headers: Headers, { options }: SignatureData, appends: boolean): Headers {
  const own = options['stamped_headers']
  const stamped = isListOfTexts(own) ? own : []
  const names = [...new Set([...headers.stamped, ...stamped])].filter((name) => Object.hasOwn(options, name))
  const values = Object.fromEntries(names.map((name) => [name, options[name]]))
  return merged(headers, { values, stamped }, appends)
}

function merged(to: Headers, from: Headers, appends: boolean): Headers {
  return {
    values: mergedValues(to.values, from.values, appends),
    stamped: [...new Set([...to.stamped, ...from.stamped])],
  }
}

function mergedValues(to: Options, from: Options, appends: boolean): Options {
  const values: Record<string, unknown> = { ...to }
  for (const [name, value] of Object.entries(from)) {
    values[name] = Object.hasOwn(to, name) ? mergedValue(to[name], value, appends) : value
  }
  return values
}

/** Celery's rules: objects are merged, lists put together, and of anything else the first stays unless it appends. */
function mergedValue(to: unknown, from: unknown, appends: boolean): unknown {
  if (isPlainRecord(to)) return isPlainRecord(from) ? mergedValues(to, from, appends) : to
  if (Array.isArray(to) && Array.isArray(from)) return [...(to as unknown[]), ...(from as unknown[])]
  if (!appends) return to
  const list = to === null ? [] : Array.isArray(to) ? (to as unknown[]) : [to]
  return Array.isArray(from) && to !== null ? [...list, ...(from as unknown[])] : [...list, from]
}

function isListOfTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
