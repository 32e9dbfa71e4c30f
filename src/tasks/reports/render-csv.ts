import { parseNumber } from './parse-number.js'
import type { Report } from './report.js'

/** What makes a spreadsheet take a text for a formula, in ASCII and in the full width of East Asian input. */
const FORMULA_START = /^[=+\-@\t\r\n＝＋－＠]/

/**
 * A report as CSV (RFC 4180, UTF-8, CRLF): a line per group and a last one for all rows.
 *
 * Columns: the grouping column (or `group`), `rows`, then `<column> <aggregate>` for each metric. Numbers
 * are unrounded, with a decimal point and no separators; blank where there is none. Text that a spreadsheet
 * would run as a formula is led by an apostrophe, as OWASP advises; numbers are left alone.
 */
export function renderCsv(report: Report): string {
  const header = [
    report.groupBy ?? 'group',
    'rows',
    ...report.metrics.flatMap(({ column, aggregates }) =>
      aggregates.map((aggregate) => `${column} ${aggregate}`),
    ),
  ]
  const lines = [...report.groups, report.total].map(({ label, rows, metrics }) => [
    textCell(label),
    String(rows),
    ...report.metrics.flatMap(({ aggregates }, index) =>
      aggregates.map((aggregate) => String(metrics[index]?.[aggregate] ?? '')),
    ),
  ])
  return [header.map(textCell), ...lines].map((cells) => `${cells.join(',')}\r\n`).join('')
}

function textCell(text: string): string {
  const isFormula = FORMULA_START.test(text) && !isPlainNumber(text)
  const safe = isFormula ? `'${text}` : text
  return isFormula || /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function isPlainNumber(text: string): boolean {
  return /^[+-][\d.,]+%?$/.test(text) && parseNumber(text) !== undefined
}
