const MOST_DECIMALS = 8

const huge = new Intl.NumberFormat('en-US', { notation: 'scientific', maximumFractionDigits: 3 })
const percent = new Intl.NumberFormat('en-US', {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
})
const byDecimals = Array.from(
  { length: MOST_DECIMALS + 1 },
  (_, decimals) =>
    new Intl.NumberFormat('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }),
)

/** How many decimals to give numbers that stand together: none for whole ones, otherwise enough to tell them apart. */
export function decimalsFor(values: readonly (number | null)[]): number {
  const fractions = values.filter((value) => value !== null && !Number.isInteger(value))
  if (fractions.length === 0) return 0
  const largest = Math.max(...values.map((value) => Math.abs(value ?? 0)))
  return largest >= 1 ? 2 : Math.min(MOST_DECIMALS, 2 + Math.ceil(-Math.log10(largest)))
}

/**
 * A number for people: `1,234`, `−1,234.50`; `1.235E18` where it is too large or too small for that; a
 * dash where there is none.
 */
export function formatNumber(value: number | null, decimals: number): string {
  if (value === null) return '–'
  const magnitude = Math.abs(value)
  const isExtreme = magnitude >= 1e15 || (magnitude > 0 && magnitude < 0.5 * 10 ** -decimals)
  const format = isExtreme ? huge : (byDecimals[decimals] ?? huge)
  return format.format(value).replaceAll('-', '\u2212')
}

/** A count: `1,234`. */
export function formatCount(value: number): string {
  return formatNumber(value, 0)
}

/** `0.1234` as `12.3%`. */
export function formatShare(value: number): string {
  return percent.format(value)
}
