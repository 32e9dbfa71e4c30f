import type { Line } from './attempts.js'

/** Whether a ratio is what it should be; undefined where what it needs was not measured. */
export function expectation(what: string, expected: number, ratio: number | undefined): string {
  if (ratio === undefined) return `Expected: at least ${what}; not known, as it was not measured.`
  const verdict = ratio >= expected ? 'reached' : 'NOT reached'
  return `Expected: at least ${what}; ${verdict}, with ${ratio.toFixed(2)}.`
}

/** A paragraph for each line that lacks figures. */
export function notMeasured(lines: readonly Line<unknown>[]): string[] {
  return lines.flatMap(({ label, seen, failures }) => {
    if (failures.length === 0) return []
    const rounds = failures.length + seen.length
    const where = seen.length === 0 ? '' : `, ${failures.length} of ${rounds} rounds`
    return [`Not measured: ${label}${where}: ${[...new Set(failures)].join('; ')}.`, '']
  })
}
