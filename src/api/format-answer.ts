import { foldValue, type Fold } from '../serialization/value-fold.js'

/**
 * Write an answer as plain JSON for any client: a bigint as an integer with all its digits, a Date in ISO 8601,
 * bytes in base64, and NaN and infinities, which Python writes and JSON lacks, as null.
 */
export function formatAnswer(value: unknown): string {
  return foldValue(value, plainJson, '')
}

const plainJson: Fold<string> = {
  leaf(value) {
    if (typeof value === 'bigint') return value.toString()
    if (value instanceof Date) return JSON.stringify(value.toISOString())
    if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'))
    if (typeof value === 'object' && value !== null) return JSON.stringify(value.toString())
    return JSON.stringify(value)
  },
  list: (items) => `[${items.join(',')}]`,
  object: (keys, members) =>
    `{${keys.map((key, i) => `${JSON.stringify(key)}:${members[i] ?? 'null'}`).join(',')}}`,
}
