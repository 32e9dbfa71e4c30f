import { Buffer, isUtf8 } from 'node:buffer'
import { InvalidInstantError, InvalidJsonError } from './errors.js'
import { parseLosslessJson } from './lossless-json.js'
import { Decimal, Uuid } from './python-types.js'
import { formatInstant, parseInstant } from './time.js'
import { foldValue, MAX_DEPTH, type Fold, type Leaf, type Refuse } from './value-fold.js'

/** How dates, UUIDs, decimals and bytes are written: kombu 5.3 and later read `tagged`, older ones `plain`. */
export type JsonForm = 'tagged' | 'plain'

/**
 * Read JSON as Python writes it (wire protocol, section 4.2): `NaN`, `Infinity` and `-Infinity` are numbers,
 * integers beyond 2^53 become bigint, and at any depth a tagged value `{"__type__": …, "__value__": …}` turns
 * into a Date (datetime), text (date, time, uuid, decimal) or a Buffer (bytes, base64). A tag that is not known,
 * or whose value does not fit, stays the object it is.
 *
 * @throws {@link InvalidJsonError}
 */
export function parseJson(text: string): unknown {
  return parseWith(reviveTagged, text)
}

/**
 * Read what {@link formatJson} wrote, so that writing it again gives the same text: a decimal becomes a
 * {@link Decimal} and a UUID a {@link Uuid}.
 *
 * @throws {@link InvalidJsonError}
 */
export function parseExactJson(text: string): unknown {
  return parseWith(reviveExactly, text)
}

function parseWith(reviveTag: ReviveTag, text: string): unknown {
  const parsed = parseOrdinary(text)
  const value = holdsRounded(parsed, 0) ? parseLosslessJson(text) : parsed
  return text.includes('"__type__"') ? revive(value, reviveTag, 0) : value
}

function parseOrdinary(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // Python's bare NaN and Infinity are what JSON.parse refuses in an otherwise good text.
    if (text.includes('NaN') || text.includes('Infinity')) return parseLosslessJson(text)
    throw new InvalidJsonError(`not JSON: ${(error as SyntaxError).message}`, { cause: error })
  }
}

/**
 * Whether an integer beyond 2^53 is among the numbers, which `JSON.parse` has rounded. Looking at the values costs
 * a fraction of looking for long runs of digits in the text.
 */
function holdsRounded(value: unknown, depth: number): boolean {
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER
  if (typeof value !== 'object' || value === null) return false
  if (depth > MAX_DEPTH) throw new InvalidJsonError(`JSON is nested deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) return value.some((item) => holdsRounded(item, depth + 1))
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key]
    if (typeof member !== 'string' && member !== null && holdsRounded(member, depth + 1)) return true
  }
  return false
}

/** Undefined where the tag is not known or its value does not fit. */
type ReviveTag = (tag: string, value: unknown) => unknown

function revive(value: unknown, reviveTag: ReviveTag, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > MAX_DEPTH) throw new InvalidJsonError(`JSON is nested deeper than ${MAX_DEPTH} levels`)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      value[index] = revive(value[index], reviveTag, depth + 1)
    return value
  }
  const object = value as Record<string, unknown>
  let size = 0
  for (const key of Object.keys(object)) {
    size++
    const member = object[key]
    if (typeof member === 'object' && member !== null) object[key] = revive(member, reviveTag, depth + 1)
  }
  if (size !== 2 || typeof object.__type__ !== 'string' || !('__value__' in object)) return object
  return reviveTag(object.__type__, object.__value__) ?? object
}

function reviveExactly(tag: string, value: unknown): unknown {
  if (tag === 'decimal' && typeof value === 'string') return new Decimal(value)
  const revived = reviveTagged(tag, value)
  return tag === 'uuid' && typeof revived === 'string' ? new Uuid(revived) : revived
}

function reviveTagged(tag: string, value: unknown): unknown {
  if (tag === 'uuid') return reviveUuid(value)
  if (typeof value !== 'string') return undefined
  switch (tag) {
    case 'datetime':
      return reviveInstant(value)
    case 'date':
    case 'time':
    case 'decimal':
      return value
    case 'bytes':
      return Buffer.from(value, 'utf8')
    case 'base64':
      return Buffer.from(value, 'base64')
    default:
      return undefined
  }
}

function reviveUuid(value: unknown): string | undefined {
  const hex = typeof value === 'object' && value !== null && 'hex' in value ? value.hex : value
  if (typeof hex !== 'string' || !/^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(hex))
    return undefined
  return new Uuid(hex).toString()
}

function reviveInstant(value: string): Date | undefined {
  try {
    return parseInstant(value)
  } catch (error) {
    if (error instanceof InvalidInstantError) return undefined
    throw error
  }
}

/**
 * Write JSON that Python reads (wire protocol, section 4.2). Date, Buffer and Uint8Array, {@link Decimal} and
 * {@link Uuid} are written in the given form; a bigint as an integer; a Map as an object, a Set as a list; `toJSON` is honoured;
 * undefined members are dropped and undefined elsewhere is null.
 *
 * @param root - What the value is called in the path of an error: `args` gives `args[0].price`.
 * @throws {@link EncodeError} for what JSON cannot hold: NaN and infinities, functions, symbols, errors, cycles,
 *   bytes in the plain form, an object that kombu would take for a tagged value of a type it does not know.
 */
export function formatJson(value: unknown, form: JsonForm = 'tagged', root = ''): string {
  try {
    if (isOrdinary(value, 0)) return JSON.stringify(value)
  } catch {
    // A getter threw; the walk finds out where.
  }
  return foldValue(value, form === 'tagged' ? taggedJson : plainJson, root)
}

/** Whether `JSON.stringify` writes the value just as {@link foldValue} would. Allocates nothing. */
function isOrdinary(value: unknown, depth: number): boolean {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return false
  if (Array.isArray(value)) return areOrdinaryItems(value, depth + 1)
  return areOrdinaryMembers(value, depth + 1)
}

function areOrdinaryItems(items: readonly unknown[], depth: number): boolean {
  for (let index = 0; index < items.length; index++) {
    const item = items[index]
    if (typeof item !== 'string' && !isOrdinary(item, depth)) return false
  }
  return true
}

function areOrdinaryMembers(object: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const key in object) {
    if (key === '__type__') return false
    const member = (object as Record<string, unknown>)[key]
    if (typeof member !== 'string' && member !== undefined && !isOrdinary(member, depth)) return false
  }
  return true
}

const KNOWN_TAGS: ReadonlySet<string> = new Set(
  ['datetime', 'date', 'time', 'uuid', 'decimal', 'bytes', 'base64'].map((tag) => JSON.stringify(tag)),
)

const taggedJson: Fold<string> = {
  leaf: (value, refuse) => formatLeaf(value, refuse, formatTagged),
  list: joinList,
  object: joinObject,
}

const plainJson: Fold<string> = {
  leaf: (value, refuse) => formatLeaf(value, refuse, formatPlain),
  list: joinList,
  object: joinObject,
}

type Special = Date | Uint8Array | Decimal | Uuid

function formatLeaf(
  value: Leaf,
  refuse: Refuse,
  formatSpecial: (value: Special, refuse: Refuse) => string,
): string {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'object' && value !== null) return formatSpecial(value, refuse)
  if (typeof value === 'number' && !Number.isFinite(value))
    return refuse(`is ${value}: JSON has no such number`)
  return JSON.stringify(value)
}

function formatTagged(value: Special): string {
  if (value instanceof Date) return tagged('datetime', `"${formatInstant(value)}"`)
  if (value instanceof Decimal) return tagged('decimal', JSON.stringify(value.toString()))
  if (value instanceof Uuid) return tagged('uuid', `{"hex":"${value.hex}"}`)
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  // Two tags as kombu has them: text stays readable in a monitor.
  if (isUtf8(bytes)) return tagged('bytes', JSON.stringify(bytes.toString('utf8')))
  return tagged('base64', `"${bytes.toString('base64')}"`)
}

/** Text as kombu 5.2 and older write it; they refuse bytes. */
function formatPlain(value: Special, refuse: Refuse): string {
  if (value instanceof Uint8Array) return refuse('is bytes: the plain form of JSON has none')
  if (!(value instanceof Date)) return JSON.stringify(value.toString())
  return `"${formatInstant(value).replace(/(?:\.0{6})?\+00:00$/, 'Z')}"`
}

function tagged(tag: string, value: string): string {
  return `{"__type__":"${tag}","__value__":${value}}`
}

function joinList(items: readonly string[]): string {
  return `[${items.join(',')}]`
}

function joinObject(keys: readonly string[], members: readonly string[], refuse: Refuse): string {
  if (keys.length === 2 && keys.includes('__type__') && keys.includes('__value__')) {
    const tag = members[keys.indexOf('__type__')] ?? ''
    if (!KNOWN_TAGS.has(tag)) {
      refuse(
        `is an object with just __type__ (${tag}) and __value__: kombu would take it for a type it lacks`,
      )
    }
  }
  return `{${keys.map((key, index) => `${JSON.stringify(key)}:${members[index] ?? 'null'}`).join(',')}}`
}
