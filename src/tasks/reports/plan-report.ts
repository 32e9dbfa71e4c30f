import { describeChoices } from './describe-choices.js'
import { UnknownColumnError } from './errors.js'
import { parseNumber } from './parse-number.js'
import type { Metric } from './report.js'
import { AGGREGATES, requestedMetrics, type MetricsRequest } from './report-request.js'

const MOST_CHOSEN_METRICS = 20
/** Share of a column's filled cells that must be numbers for it to be a numeric column. */
const NUMERIC_SHARE = 0.8
/** A column chosen for grouping has this many different values in the sample, and this share of cells filled. */
const MOST_CHOSEN_GROUPS = 20
const FILLED_SHARE = 0.9

export interface PlannedColumn {
  readonly name: string
  readonly index: number
}

export interface PlannedMetric extends Metric {
  readonly index: number
}

/** Which columns of a table a report groups and aggregates. */
export interface ReportPlan {
  readonly columns: readonly string[]
  readonly groupBy: PlannedColumn | undefined
  readonly metrics: readonly PlannedMetric[]
  /** What was decided without being asked for, for the reader. */
  readonly notes: readonly string[]
}

export interface PlanOptions {
  readonly groupBy?: string | undefined
  readonly metrics?: MetricsRequest | undefined
}

/**
 * Decide what to group and aggregate, by the header and the first rows.
 *
 * Without `groupBy`, the first text column is taken that has 2 to 20 different values in the sample, each
 * twice on average, and is filled in nine of ten rows; where there is none, all rows are one group.
 * Without `metrics`, all numeric columns are taken, at most 20.
 *
 * @throws {@link UnknownColumnError} when a column asked for is not in the header.
 */
export function planReport(
  header: readonly string[],
  sample: readonly (readonly string[])[],
  options: PlanOptions,
): ReportPlan {
  const columns = nameColumns(header)
  const notes: string[] = []
  const profiles = columns.map((name, index) => profileColumn(name, index, sample))

  let groupBy: PlannedColumn | undefined
  if (options.groupBy !== undefined) {
    groupBy = findColumn(columns, options.groupBy, 'group_by')
  } else {
    const taken = new Set(requestedMetrics(options.metrics)?.map(([column]) => column))
    const chosen = profiles.find((profile) => !taken.has(profile.name) && makesGroups(profile, sample.length))
    if (chosen !== undefined) {
      groupBy = { name: chosen.name, index: chosen.index }
      notes.push(
        `Grouped by ${JSON.stringify(chosen.name)}: no column was named, and it is the first with few values.`,
      )
    }
  }

  const requested = requestedMetrics(options.metrics)
  if (requested !== undefined) {
    const metrics = requested.map(([asked, aggregates]) => {
      const { name, index } = findColumn(columns, asked, 'metrics')
      return { column: name, aggregates, index }
    })
    return { columns, groupBy, metrics, notes }
  }
  const numeric = profiles.filter((profile) => isNumeric(profile) && profile.index !== groupBy?.index)
  if (numeric.length > MOST_CHOSEN_METRICS) {
    notes.push(
      `The first ${MOST_CHOSEN_METRICS} of ${numeric.length} numeric columns are aggregated; name metrics to have others.`,
    )
  }
  const metrics = numeric
    .slice(0, MOST_CHOSEN_METRICS)
    .map(({ name, index }) => ({ column: name, aggregates: AGGREGATES, index }))
  return { columns, groupBy, metrics, notes }
}

/** Names for all columns: `column 3` where the header has none, `name (2)` where it repeats one. */
export function nameColumns(header: readonly string[]): string[] {
  const taken = new Set<string>()
  return header.map((cell, index) => {
    const base = cell.trim() === '' ? `column ${index + 1}` : cell.trim()
    let name = base
    for (let copy = 2; taken.has(name); copy++) name = `${base} (${copy})`
    taken.add(name)
    return name
  })
}

function findColumn(columns: readonly string[], asked: string, argument: string): PlannedColumn {
  for (const name of [asked, asked.trim()]) {
    const index = columns.indexOf(name)
    if (index !== -1) return { name, index }
  }
  throw new UnknownColumnError(
    `${argument}: the source has no column ${JSON.stringify(asked)}; it has ${describeChoices(asked, columns)}`,
  )
}

interface ColumnProfile extends PlannedColumn {
  readonly filled: number
  readonly numbers: number
  readonly distinct: number
}

function profileColumn(name: string, index: number, sample: readonly (readonly string[])[]): ColumnProfile {
  const values = new Set<string>()
  let filled = 0
  let numbers = 0
  for (const row of sample) {
    const cell = row[index]?.trim() ?? ''
    if (cell === '') continue
    filled++
    values.add(cell)
    if (parseNumber(cell) !== undefined) numbers++
  }
  return { name, index, filled, numbers, distinct: values.size }
}

function isNumeric({ filled, numbers }: ColumnProfile): boolean {
  return numbers > 0 && numbers >= filled * NUMERIC_SHARE
}

function makesGroups(profile: ColumnProfile, rows: number): boolean {
  const { filled, distinct } = profile
  return (
    !isNumeric(profile) &&
    filled > 0 &&
    filled >= rows * FILLED_SHARE &&
    distinct >= 2 &&
    distinct <= MOST_CHOSEN_GROUPS &&
    distinct * 2 <= filled
  )
}
