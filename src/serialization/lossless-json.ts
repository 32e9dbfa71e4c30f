import { InvalidJsonError } from './errors.js'
import { skipSpace, skipString } from './json-scanner.js'

/** As deep as Python's own reader goes, about. */
const MAX_DEPTH = 1000

/** Python (3.11 and later) reads no longer integers either: their conversion takes quadratic time. */
const MAX_DIGITS = 4300

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y

// eslint-disable-next-line no-control-regex -- JSON forbids control characters inside strings
const CONTROL = /[\u0000-\u001f]/

const WORDS: readonly (readonly [string, unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]

/**
 * JSON as Python writes it: like `JSON.parse`, and `NaN`, `Infinity`, `-Infinity` are numbers, and integers
 * beyond 2^53 become bigint. Several times slower than `JSON.parse`: for the texts that need it.
 *
 * @throws {@link InvalidJsonError}
 */
export function parseLosslessJson(text: string): unknown {
  const parser = new LosslessParser(text)
  return parser.parse()
}

class LosslessParser {
  readonly #text: string
  #position = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): unknown {
    const value = this.#value()
    if (this.#skipSpace() !== this.#text.length) throw this.#unexpected()
    return value
  }

  #value(): unknown {
    this.#skipSpace()
    const first = this.#text[this.#position]
    if (first === '"') return this.#string()
    if (first === '[') return this.#nested(() => this.#array())
    if (first === '{') return this.#nested(() => this.#object())
    return this.#word()
  }

  #nested(read: () => unknown): unknown {
    if (++this.#depth > MAX_DEPTH)
      throw new InvalidJsonError(`JSON is nested deeper than ${MAX_DEPTH} levels`)
    this.#position++
    const value = read()
    this.#depth--
    return value
  }

  #array(): unknown[] {
    const items: unknown[] = []
    if (this.#take(']')) return items
    do items.push(this.#value())
    while (this.#take(','))
    if (!this.#take(']')) throw this.#unexpected()
    return items
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    if (this.#take('}')) return object
    do {
      this.#skipSpace()
      if (this.#text[this.#position] !== '"') throw this.#unexpected()
      const key = this.#string()
      if (!this.#take(':')) throw this.#unexpected()
      const value = this.#value()
      // As JSON.parse does: an ordinary member, never the object's prototype.
      if (key === '__proto__') {
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
      } else {
        object[key] = value
      }
    } while (this.#take(','))
    if (!this.#take('}')) throw this.#unexpected()
    return object
  }

  #string(): string {
    const start = this.#position
    const end = skipString(this.#text, start)
    if (end === -1) throw this.#unexpected()
    const raw = this.#text.slice(start + 1, end - 1)
    if (!raw.includes('\\')) {
      if (CONTROL.test(raw)) throw this.#unexpected()
      this.#position = end
      return raw
    }
    try {
      const value = JSON.parse(this.#text.slice(start, end)) as string
      this.#position = end
      return value
    } catch (error) {
      throw this.#unexpected(error)
    }
  }

  #word(): unknown {
    NUMBER.lastIndex = this.#position
    const match = NUMBER.exec(this.#text)
    if (match !== null) {
      this.#position += match[0].length
      const isInteger = match[1] === undefined && match[2] === undefined
      return isInteger ? this.#integer(match[0]) : Number(match[0])
    }
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#position)) {
        this.#position += word.length
        return value
      }
    }
    throw this.#unexpected()
  }

  #integer(digits: string): number | bigint {
    const value = Number(digits)
    if (Number.isSafeInteger(value)) return value
    if (digits.length > MAX_DIGITS)
      throw new InvalidJsonError(`an integer has more than ${MAX_DIGITS} digits`)
    return BigInt(digits)
  }

  #take(char: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#position] !== char) return false
    this.#position++
    return true
  }

  #skipSpace(): number {
    this.#position = skipSpace(this.#text, this.#position)
    return this.#position
  }

  #unexpected(cause?: unknown): InvalidJsonError {
    const found =
      this.#position < this.#text.length
        ? JSON.stringify(this.#text.slice(this.#position, this.#position + 20))
        : 'the end'
    return new InvalidJsonError(`not JSON at position ${this.#position}: ${found}`, { cause })
  }
}
