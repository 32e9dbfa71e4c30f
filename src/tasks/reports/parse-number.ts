const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const DECORATED =
  /^(?<sign>[+-])?\s*(?:[$€£¥]\s*)?(?<innerSign>[+-])?(?<digits>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+\.?\d*|\.\d+)\s*[%€]?$/

/**
 * Read a cell as a number, as people write them in tables.
 *
 * - `1234.5`, `-3`, `+3`, `.5`, `1e6`: as they stand.
 * - `1,234.50`: commas between groups of three digits are separators. `1,5` is no number: whether the
 *   comma is a decimal mark cannot be told from the cell.
 * - `$1,200`, `-$5`, `$-5`, `€ 3`, `3 €`, `£3`, `¥3`: the currency is dropped.
 * - `(1,200)`: minus 1200, as accountants write.
 * - `12.5%`: 12.5, in percent as written, not 0.125.
 *
 * @returns `undefined` for everything else (blank, `-`, `n/a`, text, hexadecimal, infinity): a missing value.
 */
export function parseNumber(cell: string): number | undefined {
  if (PLAIN.test(cell)) return finite(Number(cell))
  const text = cell.trim()
  if (text === '') return undefined
  if (text.startsWith('(') && text.endsWith(')')) {
    const amount = parseDecorated(text.slice(1, -1).trim())
    return amount === undefined || amount < 0 ? undefined : -amount
  }
  return parseDecorated(text)
}

function parseDecorated(text: string): number | undefined {
  if (PLAIN.test(text)) return finite(Number(text))
  const groups = DECORATED.exec(text)?.groups
  if (groups?.['digits'] === undefined) return undefined
  if (groups['sign'] !== undefined && groups['innerSign'] !== undefined) return undefined
  const amount = Number(groups['digits'].replaceAll(',', ''))
  return finite((groups['sign'] ?? groups['innerSign']) === '-' ? -amount : amount)
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}
