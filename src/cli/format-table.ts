import { paintFor } from './paint.js'

/** Rows in columns as wide as they need be, the first row as their headings: bold on a terminal. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const [headings = '', ...lines] = formatColumns(rows).split('\n')
  return [paintFor(process.stdout).heading(headings), ...lines].join('\n')
}

/** Rows in columns as wide as they need be. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** What anybody may have written into a queue, or replied, must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
