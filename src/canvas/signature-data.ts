/**
 * Signatures as plain data: what travels in messages (wire protocol, section 12.1), and what the modules beside this
 * one take apart and put together. Data is never changed; every operation makes new data.
 */
import { describeValue } from '../errors.js'
import { readSignature, type Signature as SignatureData } from '../serialization/signature.js'
import { InvalidSignatureError } from './errors.js'

export type { SignatureData }

export type Options = Readonly<Record<string, unknown>>

/** Of the parts of the canvas, by `subtask_type`; a task has none. */
export function isChain(data: SignatureData): boolean {
  return data.subtask_type === 'chain'
}

export function isGroup(data: SignatureData): boolean {
  return data.subtask_type === 'group'
}

export function isChord(data: SignatureData): boolean {
  return data.subtask_type === 'chord'
}

/** Members of a chain or group, in their order. */
export function tasksOf(data: SignatureData): readonly SignatureData[] {
  return data.kwargs['tasks'] as readonly SignatureData[]
}

/** Members of a chord's header, which may be a list or a group. */
export function headerOf(data: SignatureData): readonly SignatureData[] {
  const { header } = data.kwargs
  return isList(header) ? (header as readonly SignatureData[]) : tasksOf(header as SignatureData)
}

export function withHeader(chord: SignatureData, members: readonly SignatureData[]): SignatureData {
  const { header } = chord.kwargs
  return withKwargs(chord, {
    header: isList(header) ? members : withKwargs(header as SignatureData, { tasks: members }),
  })
}

export function bodyOf(data: SignatureData): SignatureData {
  return data.kwargs['body'] as SignatureData
}

export function withOptions(data: SignatureData, options: Options): SignatureData {
  return { ...data, options: { ...data.options, ...options } }
}

export function withKwargs(data: SignatureData, kwargs: Options): SignatureData {
  return { ...data, kwargs: { ...data.kwargs, ...kwargs } }
}

export function taskData(task: string, parts: TaskParts = {}): SignatureData {
  const { args = [], kwargs = {}, options = {}, immutable = false } = parts
  return { task, args, kwargs, options, subtask_type: null, immutable }
}

interface TaskParts {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly options?: Options
  readonly immutable?: boolean
}

export function chainData(tasks: readonly SignatureData[], options: Options = {}): SignatureData {
  return { ...taskData('celery.chain', { kwargs: { tasks }, options }), subtask_type: 'chain' }
}

export function groupData(tasks: readonly SignatureData[], options: Options = {}): SignatureData {
  return { ...taskData('celery.group', { kwargs: { tasks }, options }), subtask_type: 'group' }
}

export function chordData(
  header: readonly SignatureData[],
  body: SignatureData,
  options: Options = {},
): SignatureData {
  return {
    ...taskData('celery.chord', { kwargs: { kwargs: {}, header, body }, options }),
    subtask_type: 'chord',
  }
}

/** As deep as Python reads and writes it, with something to spare. */
const MAX_DEPTH = 250
/** So many tasks that no memory holds their messages: surely a mistake. */
const MAX_SIGNATURES = 1_000_000

/**
 * Read a signature in every shape that Celery's releases and other clients write, all its members included: what is
 * missing gets its default, a single link becomes a list, unknown keys stay.
 *
 * @param where - what is read, for the message.
 * @throws InvalidSignatureError naming the member at fault; also for one that contains itself.
 */
export function readSignatureData(value: unknown, where = 'a signature'): SignatureData {
  let count = 0
  const read = (given: unknown, path: string, depth: number): SignatureData => {
    if (depth > MAX_DEPTH) {
      throw new InvalidSignatureError(
        `${where} is nested deeper than ${MAX_DEPTH} levels, or contains itself: ${shortened(path)}`,
      )
    }
    if (++count > MAX_SIGNATURES)
      throw new InvalidSignatureError(`${where} has more than ${MAX_SIGNATURES} tasks`)
    const data = readOne(unwrapped(given), path)
    const inner = (member: unknown, name: string): SignatureData => read(member, `${path}.${name}`, depth + 1)
    const innerList = (list: unknown, name: string): SignatureData[] => {
      if (!isList(list)) throw refusal(`${path}.${name}`, 'a list of signatures', list)
      return list.map((member, i) => inner(member, `${name}[${i}]`))
    }
    return withMembers(data, inner, innerList)
  }
  return read(value, where, 0)
}

type Inner<T> = (member: unknown, name: string) => T

function withMembers(
  data: SignatureData,
  inner: Inner<SignatureData>,
  innerList: Inner<SignatureData[]>,
): SignatureData {
  const options = withInnerOptions(data.options, inner, innerList)
  const withRead = options === data.options ? data : { ...data, options }
  if (isChain(data) || isGroup(data)) {
    return withKwargs(withRead, { tasks: innerList(data.kwargs['tasks'], 'tasks') })
  }
  if (!isChord(data)) return withRead
  const { header, body } = data.kwargs
  return withKwargs(withRead, {
    header: isList(header) ? innerList(header, 'header') : asHeader(inner(header, 'header')),
    body: inner(body, 'body'),
  })
}

/** A header may be a group, a chain whose steps are meant, or one signature. */
function asHeader(header: SignatureData): SignatureData | readonly SignatureData[] {
  if (isGroup(header)) return header
  return isChain(header) ? tasksOf(header) : [header]
}

function withInnerOptions(
  options: Options,
  inner: Inner<SignatureData>,
  innerList: Inner<SignatureData[]>,
): Options {
  const { link, link_error: linkError, chain, chord } = options
  if (![link, linkError, chain, chord].some(isGiven)) return options
  const read: Record<string, unknown> = { ...options }
  for (const name of ['link', 'link_error', 'chain']) {
    const given = options[name]
    if (isGiven(given)) read[name] = innerList(isList(given) ? given : [given], name)
  }
  if (isGiven(chord)) read['chord'] = inner(chord, 'chord')
  return read
}

function readOne(value: unknown, path: string): SignatureData {
  try {
    return readSignature(value)
  } catch (cause) {
    throw new InvalidSignatureError(`${shortened(path)}: ${(cause as Error).message}`, { cause })
  }
}

/** What another copy of this package made is known by its `toJSON`. */
function unwrapped(value: unknown): unknown {
  const { toJSON } = (value ?? {}) as { toJSON?: unknown }
  return typeof toJSON === 'function' ? (toJSON.call(value) as unknown) : value
}

function refusal(path: string, expected: string, value: unknown): InvalidSignatureError {
  return new InvalidSignatureError(`${shortened(path)} must be ${expected}, got ${describeValue(value)}`)
}

function shortened(path: string): string {
  return path.length > 120 ? `${path.slice(0, 117)}...` : path
}

/** Null means nothing in options, as in Celery. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}
