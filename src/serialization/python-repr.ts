import { Buffer, isUtf8 } from 'node:buffer'
import { Decimal, Uuid } from './python-types.js'

/** Containers nested deeper show as `[...]`, `(...)`, `{...}`. */
const MAX_LEVELS = 3

/** Celery's own limit of `argsrepr` and `kwargsrepr`. */
const ARGUMENTS_LENGTH = 1024

/**
 * Text of a value as Celery shows it to people (wire protocol, section 3.6): `('one', 2)`, `{'k': None}`.
 * Never throws.
 *
 * @param maxLength - Characters after which the text is cut off; the closing brackets may come on top.
 * @see Celery 5.6, `utils/saferepr.py`: `saferepr`
 */
export function pythonRepr(value: unknown, maxLength = 1024): string {
  return reprSafely((writer) => {
    writer.value(value, 0)
  }, maxLength)
}

/** `argsrepr`: positional arguments as a tuple, always shorter than 1024 characters. Never throws. */
export function pythonReprArgs(args: readonly unknown[], maxLength = ARGUMENTS_LENGTH): string {
  const text = reprSafely((writer) => {
    writer.items(args, '(', args.length === 1 ? ',)' : ')', 0)
  }, maxLength)
  return cutOff(text)
}

/** `kwargsrepr`, always shorter than 1024 characters. Never throws. */
export function pythonReprKwargs(
  kwargs: Readonly<Record<string, unknown>>,
  maxLength = ARGUMENTS_LENGTH,
): string {
  return cutOff(pythonRepr(kwargs, maxLength))
}

function reprSafely(write: (writer: ReprWriter) => void, maxLength: number): string {
  const writer = new ReprWriter(maxLength)
  try {
    write(writer)
    return writer.text
  } catch {
    return `${writer.text}<unprintable>`
  }
}

/** Escaped quotes and closing brackets can exceed the limit a little. */
function cutOff(text: string): string {
  return text.length < ARGUMENTS_LENGTH ? text : `${sliceWhole(text, ARGUMENTS_LENGTH - 4)}...`
}

/** Celery's stream of tokens: each takes from the limit, and past it only closing brackets are written. */
class ReprWriter {
  text = ''
  #left: number
  #isFull = false

  constructor(maxLength: number) {
    this.#left = maxLength
  }

  value(value: unknown, level: number): void {
    if (typeof value === 'string') this.#write(quoted(value, this.#left))
    else if (typeof value !== 'object' || value === null) this.#write(truncate(scalar(value), this.#left))
    else this.#object(value, level)
  }

  items(items: Iterable<unknown>, open: string, close: string, level: number): void {
    this.#nested(open, close, level, () => {
      let isFirst = true
      for (const item of items) {
        if (!isFirst) this.#write(', ')
        isFirst = false
        this.value(item, level + 1)
        if (this.#isFull) return
      }
    })
  }

  #members(entries: Iterable<readonly [unknown, unknown]>, level: number): void {
    this.#nested('{', '}', level, () => {
      let isFirst = true
      for (const [key, member] of entries) {
        if (!isFirst) this.#write(', ')
        isFirst = false
        this.#write(pythonRepr(key, this.#left))
        this.#write(': ')
        this.value(member, level + 1)
        if (this.#isFull) return
      }
    })
  }

  #nested(open: string, close: string, level: number, writeParts: () => void): void {
    if (this.#isFull) return
    if (level >= MAX_LEVELS) {
      this.#write(truncate(`${open}...${close}`, this.#left))
      return
    }
    this.#write(open)
    if (!this.#isFull) writeParts()
    if (this.#isFull) this.text += close
    else this.#write(close)
  }

  #write(token: string): void {
    if (this.#isFull) return
    if (this.#left <= 0) {
      this.text += ', ...'
      this.#isFull = true
      return
    }
    this.text += token
    this.#left -= token.length
  }

  #object(value: object, level: number): void {
    if (Array.isArray(value)) this.items(value, '[', ']', level)
    else if (value instanceof Map) this.#members(value, level)
    else if (value instanceof Set) this.#set(value, level)
    else if (value instanceof Uint8Array) this.#write(bytesText(value, this.#left))
    else if (isPlain(value)) this.#members(Object.entries(value), level)
    else this.#write(truncate(instance(value), this.#left))
  }

  #set(value: ReadonlySet<unknown>, level: number): void {
    if (value.size === 0) this.#write('set()')
    else this.items(value, '{', '}', level)
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function scalar(value: unknown): string {
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'function') return `<function ${value.name === '' ? 'anonymous' : value.name}>`
  if (typeof value === 'symbol') return `<${value.toString()}>`
  return 'None'
}

/** Safe integers as Python's `int`, all else as its `float`, whose exponents start elsewhere than ours. */
function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0.0'
  if (Number.isSafeInteger(value)) return value.toString()
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  const size = Math.abs(value)
  if (size >= 1e-4 && size < 1e16) {
    const text = value.toString()
    return text.includes('.') ? text : `${text}.0`
  }
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

function instance(value: object): string {
  if (value instanceof Date) return dateText(value)
  if (value instanceof Decimal) return `Decimal('${value.toString()}')`
  if (value instanceof Uuid) return `UUID('${value.toString()}')`
  if (value instanceof Error) return `${value.name}(${quoted(value.message, 200)})`
  return `<${value.constructor?.name ?? 'object'}>`
}

function dateText(date: Date): string {
  if (Number.isNaN(date.getTime())) return '<Invalid Date>'
  const parts = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
  ]
  const ms = date.getUTCMilliseconds()
  if (date.getUTCSeconds() > 0 || ms > 0) parts.push(date.getUTCSeconds())
  if (ms > 0) parts.push(ms * 1000)
  return `datetime.datetime(${parts.join(', ')}, tzinfo=datetime.timezone.utc)`
}

function quoted(text: string, limit: number): string {
  const shown = truncate(text, limit)
  return shown.includes("'") ? `'${shown.replaceAll("'", "\\'")}'` : `'${shown}'`
}

function bytesText(bytes: Uint8Array, limit: number): string {
  const isCut = limit > 0 && bytes.length > limit
  const shown = Buffer.from(isCut ? bytes.subarray(0, limit) : bytes)
  return `b'${shown.toString(isUtf8(shown) ? 'utf8' : 'hex')}${isCut ? '...' : ''}'`
}

/** Cut at the last space before the limit, as Celery's `truncate` does. */
function truncate(text: string, limit: number): string {
  if (limit <= 0 || text.length < limit) return text
  const cut = sliceWhole(text, limit)
  const space = cut.lastIndexOf(' ')
  return `${space === -1 ? cut : cut.slice(0, space)}...`
}

/** The first `length` characters without half a surrogate pair at the end: Python cannot print one. */
function sliceWhole(text: string, length: number): string {
  const last = text.charCodeAt(length - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length)
}
