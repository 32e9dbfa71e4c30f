import { describeValue } from '../errors.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import { compose } from './compose.js'
import { InvalidSignatureError } from './errors.js'
import { linkErrorTo, linkTo, type ErrbackReach } from './links.js'
import { stampData } from './stamp.js'
import { wireOptionName } from './option-names.js'
import {
  bodyOf,
  headerOf,
  isChord,
  isGroup,
  readSignatureData,
  taskData,
  tasksOf,
  withKwargs,
  withOptions,
  type Options,
  type SignatureData,
} from './signature-data.js'
import type {
  AnySignature,
  ApplyCall,
  PartialCall,
  Signature,
  SignatureOptions,
  SignatureParts,
  StampCall,
} from './signature-types.js'

/** Whose a signature is: an app's. */
export interface Owner {
  /** Sends a signature; what it resolves with is the handle of the signature's type. */
  readonly launch: (data: SignatureData, call: PartialCall) => Promise<unknown>
  readonly errbackReach: () => ErrbackReach
}

/** Behind {@link Signature}, whose types it does not know. */
class CanvasSignature {
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Options
  readonly subtask_type: string | null
  readonly immutable: boolean
  readonly #data: SignatureData
  readonly #owner: Owner | undefined

  constructor(data: SignatureData, owner: Owner | undefined) {
    this.task = data.task
    this.args = data.args
    this.kwargs = data.kwargs
    this.options = data.options
    this.subtask_type = data.subtask_type
    this.immutable = data.immutable
    this.#data = data
    this.#owner = owner
  }

  static dataOf(value: object): SignatureData | undefined {
    return #data in value ? value.#data : undefined
  }

  static ownerOf(value: object): Owner | undefined {
    return #owner in value ? value.#owner : undefined
  }

  set({ immutable, ...options }: SignatureOptions): CanvasSignature {
    const data = setOptions(this.#data, options)
    return this.#with(immutable === undefined ? data : setImmutable(data, immutable))
  }

  clone({ args = [], kwargs = {}, options = {} }: PartialCall = {}): CanvasSignature {
    const { immutable } = this.#data
    const called = immutable
      ? this.#data
      : { ...this.#data, args: [...args, ...this.#data.args], kwargs: { ...this.#data.kwargs, ...kwargs } }
    return this.#with(setOptions(called, options))
  }

  link(...callbacks: readonly AnySignature[]): CanvasSignature {
    return this.#with(linkTo(this.#data, callbacks.map(namedData('link'))))
  }

  linkError(...errbacks: readonly AnySignature[]): CanvasSignature {
    return this.#with(linkErrorTo(this.#data, errbacks.map(namedData('linkError')), reachOf(this.#owner)))
  }

  onError(...errbacks: readonly AnySignature[]): CanvasSignature {
    return this.linkError(...errbacks)
  }

  stamp({ visitor, appendStamps: appends = false, ...stamps }: StampCall): CanvasSignature {
    const show = (data: SignatureData): Signature<unknown> => createSignature(data, this.#owner)
    return this.#with(stampData(this.#data, stamps, { visitor, appends, show }))
  }

  then(next: unknown, refuse?: unknown): CanvasSignature | Promise<void> {
    if (typeof next !== 'function') {
      const owner = ownerOf([this, next])
      const data = compose([this.#data, signatureData(next, 'then')], reachOf(owner))
      return new CanvasSignature(data, owner)
    }
    // Called by `await`, or with a promise's callbacks: a mistake that would else go unnoticed for ever.
    const error = new InvalidSignatureError(
      `a signature of ${this.task} was awaited, or returned by an async function: await its applyAsync() or delay()`,
    )
    return Promise.reject(error).then(next as () => void, refuse as () => void)
  }

  async applyAsync({ args, kwargs, ...options }: ApplyCall = {}): Promise<unknown> {
    if (this.#owner === undefined) {
      throw new InvalidSignatureError(
        `the signature of ${this.task} belongs to no app: make it with task.s() or app.signature()`,
      )
    }
    const call = { options: wireOptions(options), ...(args && { args }), ...(kwargs && { kwargs }) }
    return this.#owner.launch(this.#data, call)
  }

  delay(...args: readonly unknown[]): Promise<unknown> {
    return this.applyAsync({ args })
  }

  toJSON(): SignatureData {
    return this.#data
  }

  #with(data: SignatureData): CanvasSignature {
    return new CanvasSignature(data, this.#owner)
  }
}

/**
 * A call of a task by its name, or a signature read from what Python or JSON holds. It belongs to no app: make one with
 * `app.signature` or `task.s` to send it by itself. As a member of a canvas it goes where the others go.
 *
 * @throws InvalidSignatureError for what is no signature.
 */
export function signature(task: string | object, parts: SignatureParts = {}): Signature<unknown> {
  return createSignature(signatureFrom(task, parts), undefined)
}

/** The data of a signature by its task's name, or of one read from JSON, with more parts. */
export function signatureFrom(task: string | object, parts: SignatureParts = {}): SignatureData {
  if (typeof task !== 'string') {
    const { immutable, ...call } = parts
    const { args = [], kwargs = {}, options = {} } = call
    const read = signatureData(task, 'signature')
    const data = { ...read, args: [...args, ...read.args], kwargs: { ...read.kwargs, ...kwargs } }
    const set = setOptions(data, options)
    return immutable === undefined ? set : setImmutable(set, immutable)
  }
  if (task === '') throw new InvalidSignatureError('signature: expected a task name, got an empty string')
  const { args = [], kwargs = {}, options = {}, immutable = false } = parts
  if (!Array.isArray(args)) {
    throw new InvalidSignatureError(
      `args of the signature of ${task} must be a list, got ${describeValue(args)}`,
    )
  }
  return taskData(task, { args, kwargs, options: wireOptions(options), immutable })
}

/** @param owner - undefined where it belongs to no app. */
export function createSignature<Previous, Result, Handle>(
  data: SignatureData,
  owner: Owner | undefined,
): Signature<Previous, Result, Handle> {
  return new CanvasSignature(data, owner) as unknown as Signature<Previous, Result, Handle>
}

/** Whose the first of some signatures is that belongs to an app. */
export function ownerOf(parts: readonly unknown[]): Owner | undefined {
  for (const part of parts) {
    const owner = typeof part === 'object' && part !== null ? CanvasSignature.ownerOf(part) : undefined
    if (owner !== undefined) return owner
  }
  return undefined
}

export function reachOf(owner: Owner | undefined): ErrbackReach {
  return owner?.errbackReach() ?? 'chords'
}

/** What is a signature here as data; anything else as it is. */
export function dataIfSignature(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? (CanvasSignature.dataOf(value) ?? value) : value
}

/** The plain data of a signature in any of its shapes. @throws InvalidSignatureError */
export function signatureData(value: unknown, where?: string): SignatureData {
  const own = typeof value === 'object' && value !== null ? CanvasSignature.dataOf(value) : undefined
  return own ?? readSignatureData(value, where)
}

/** Options of a call by their wire names, signatures among them as data. */
export function wireOptions(options: Options): Options {
  const named: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (name === 'stamps' && isPlainRecord(value)) {
      Object.assign(named, value, { stamped_headers: Object.keys(value) })
      continue
    }
    const wireName = wireOptionName(name)
    named[wireName] = SIGNATURE_OPTIONS.has(wireName) ? optionData(value, name) : value
  }
  return named
}

const SIGNATURE_OPTIONS = new Set(['link', 'link_error', 'chain', 'chord'])

function optionData(value: unknown, name: string): unknown {
  if (value === null) return value
  return Array.isArray(value) ? value.map(namedData(name)) : signatureData(value, name)
}

function namedData(name: string): (value: unknown) => SignatureData {
  return (value) => signatureData(value, name)
}

/** A chord's result is its body's, and so is its id. */
function setOptions(data: SignatureData, options: Options): SignatureData {
  const { task_id: id, ...others } = wireOptions(options)
  if (id === undefined) return withOptions(data, others)
  if (!isChord(data)) return withOptions(data, { ...others, task_id: id })
  return withKwargs(withOptions(data, others), { body: setOptions(bodyOf(data), { task_id: id }) })
}

/** Of a group and a chord's header, the members are. */
function setImmutable(data: SignatureData, immutable: boolean): SignatureData {
  const all = (tasks: readonly SignatureData[]): SignatureData[] =>
    tasks.map((each) => setImmutable(each, immutable))
  if (isGroup(data)) return withKwargs(data, { tasks: all(tasksOf(data)) })
  if (isChord(data)) return withKwargs(data, { header: all(headerOf(data)) })
  return { ...data, immutable }
}
