import Papa from 'papaparse'
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
    withoutFormula(label),
    rows,
    ...report.metrics.flatMap(({ aggregates }, index) =>
      aggregates.map((aggregate) => metrics[index]?.[aggregate]),
    ),
  ])
  const text = Papa.unparse([header.map(withoutFormula), ...lines], {
    newline: '\r\n',
    // Spreadsheets take the list separator of their country, or a tab, for the delimiter as well.
    quotes: (cell: unknown) => typeof cell === 'string' && /^'|[;\t]/.test(cell),
  })
  return `${text}\r\n`
}

/** Papa Parse's own escaping of formulas would take the label -5 for one. */
function withoutFormula(text: string): string {
  return FORMULA_START.test(text) && !isPlainNumber(text) ? `'${text}` : text
}

function isPlainNumber(text: string): boolean {
  return /^[+-][\d.,]+%?$/.test(text) && parseNumber(text) !== undefined
}
