import { Buffer } from 'node:buffer'

/**
 * JSON that is written as bytes, into a buffer that is used again: for what is written several times a task, such as
 * events. As strings put together their pieces would outlive many a garbage collection before they are sent, which
 * costs as much as to write them.
 */
export interface JsonWriter {
  /** Bytes written so far. */
  readonly length: number
  /** Any text, as it is. */
  raw(text: string): void
  /** What is made once by {@link literal}. */
  literal(bytes: Uint8Array): void
  /** A member with a text, or with null. @param name - With what stands around it: `literal(',"uuid":')`. */
  text(name: Uint8Array, value: string | null | undefined): void
  /** A member with a finite number, or with null. */
  number(name: Uint8Array, value: number | null): void
  /** A member with true or false. */
  flag(name: Uint8Array, value: boolean): void
  /** All that was written since the last time, to be used before anything else is written. */
  take(): Uint8Array
}

/**
 * Called as a function: V8 keeps strings in more forms than a call site can tell apart, so that as a method it would be
 * looked up anew for each character.
 */
// eslint-disable-next-line @typescript-eslint/unbound-method
const codeAt = String.prototype.charCodeAt

const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 0x30
const NULL = literal('null')
const TRUE = literal('true')
const FALSE = literal('false')
/** A code unit takes six bytes at most: `\u0000`. */
const BYTES_PER_UNIT = 6
/** `-1.7976931348623157e+308`. */
const MOST_DIGITS = 24
/** Up to here a loop is faster than to leave JavaScript. */
const SHORT_BYTES = 24

/** Pieces of JSON that are written again and again. */
export function literal(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** @param capacity - Bytes to begin with; it grows as needed. */
export function createJsonWriter(capacity: number): JsonWriter {
  let bytes = new Uint8Array(capacity)
  let at = 0

  const reserve = (more: number): void => {
    if (at + more <= bytes.length) return
    const larger = new Uint8Array(Math.max(bytes.length * 2, at + more))
    larger.set(bytes.subarray(0, at))
    bytes = larger
  }

  const put = (piece: Uint8Array): void => {
    const { length } = piece
    reserve(length)
    const target = bytes
    if (length > SHORT_BYTES) target.set(piece, at)
    else for (let i = 0; i < length; i++) target[at + i] = piece[i] ?? 0
    at += length
  }

  const putRaw = (text: string): void => {
    reserve(text.length * BYTES_PER_UNIT)
    at += Buffer.from(bytes.buffer).write(text, at, 'utf8')
  }

  const putText = (text: string): void => {
    const { length } = text
    reserve(length * BYTES_PER_UNIT + 2)
    const target = bytes
    let end = at
    target[end++] = QUOTE
    // Nearly all texts are short, and plain ASCII.
    for (let i = 0; i < length; i++) {
      const unit = codeAt.call(text, i)
      if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH) {
        putRaw(JSON.stringify(text))
        return
      }
      target[end++] = unit
    }
    target[end++] = QUOTE
    at = end
  }

  const putNumber = (value: number): void => {
    reserve(MOST_DIGITS)
    const target = bytes
    if (value >= 0 && (value | 0) === value) {
      let digits = 1
      for (let rest = value; rest >= 10; rest = (rest / 10) | 0) digits++
      let rest = value
      for (let i = at + digits - 1; i >= at; i--) {
        const tens = (rest / 10) | 0
        target[i] = ZERO + rest - tens * 10
        rest = tens
      }
      at += digits
      return
    }
    const text = String(value)
    const { length } = text
    for (let i = 0; i < length; i++) target[at + i] = codeAt.call(text, i)
    at += length
  }

  return {
    get length() {
      return at
    },
    raw: putRaw,
    literal: put,
    text(name, value) {
      put(name)
      if (value === null || value === undefined) put(NULL)
      else putText(value)
    },
    number(name, value) {
      put(name)
      if (value === null) put(NULL)
      else putNumber(value)
    },
    flag(name, value) {
      put(name)
      put(value ? TRUE : FALSE)
    },
    take() {
      const taken = bytes.subarray(0, at)
      at = 0
      return taken
    },
  }
}
