import { InvalidArgumentError, describeValue } from '../errors.js'

/**
 * A number with exact decimal digits, for Python's `decimal.Decimal`. Holds the text and computes nothing;
 * decoded messages contain such numbers as plain text.
 */
export class Decimal {
  readonly #text: string

  /** @throws {@link InvalidArgumentError} when Python's `Decimal` would not read the text. */
  constructor(text: string) {
    if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?:Infinity|NaN)$/.test(text)) {
      throw new InvalidArgumentError(
        `text must be a decimal number such as "12.340", got ${describeValue(text)}`,
      )
    }
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** A UUID that arrives in Python as `uuid.UUID`. Decoded messages contain UUIDs as canonical text. */
export class Uuid {
  readonly #text: string

  /** @throws {@link InvalidArgumentError} when the text is not 32 hexadecimal digits, with or without dashes. */
  constructor(text: string) {
    const hex = text.replaceAll('-', '').toLowerCase()
    if (!/^[0-9a-f]{32}$/.test(hex)) {
      throw new InvalidArgumentError(`text must be a UUID, got ${describeValue(text)}`)
    }
    this.#text = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  /** The 32 digits without dashes. */
  get hex(): string {
    return this.#text.replaceAll('-', '')
  }

  /** Canonical form: lower case with dashes. */
  toString(): string {
    return this.#text
  }
}
