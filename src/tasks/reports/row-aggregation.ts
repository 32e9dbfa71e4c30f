import { ExactValuesBudget, MetricAccumulator } from './metric-accumulator.js'
import { parseNumber } from './parse-number.js'
import type { ReportPlan } from './plan-report.js'
import type { Group } from './report.js'

const ALL_ROWS = 'All rows'
const OTHER_GROUPS = '(other groups)'
const EMPTY_GROUP = '(empty)'

const MOST_GROUPS = 1_000
/** Groups times metrics: with many metrics fewer groups are kept. */
const MOST_ACCUMULATORS = 10_000
const LONGEST_LABEL = 256

export interface AggregationResult {
  readonly rows: number
  readonly raggedRows: number
  readonly groups: readonly Group[]
  readonly total: Group
  readonly approximate: boolean
  /** How many groups are shown by name where the rest was put together; otherwise `undefined`. */
  readonly groupLimit: number | undefined
}

interface OpenGroup {
  readonly label: string
  rows: number
  readonly metrics: readonly MetricAccumulator[]
}

/**
 * Aggregates rows by group, in memory that does not grow with their number.
 *
 * The first thousand groups to come are kept (fewer with more than ten metrics); rows of any further
 * group are put together. Labels are trimmed and cut after 256 characters.
 */
export class RowAggregation {
  readonly #plan: ReportPlan
  readonly #groupLimit: number
  readonly #budget: ExactValuesBudget
  readonly #groups = new Map<string, OpenGroup>()
  #others: OpenGroup | undefined
  #rows = 0
  #raggedRows = 0

  constructor(plan: ReportPlan, budget = new ExactValuesBudget()) {
    this.#plan = plan
    this.#budget = budget
    this.#groupLimit = Math.min(MOST_GROUPS, Math.floor(MOST_ACCUMULATORS / Math.max(plan.metrics.length, 1)))
  }

  get rows(): number {
    return this.#rows
  }

  add(cells: readonly string[]): void {
    this.#rows++
    if (isRagged(cells, this.#plan.columns.length)) this.#raggedRows++
    const { groupBy, metrics } = this.#plan
    const group = this.#groupOf(groupBy === undefined ? ALL_ROWS : (cells[groupBy.index] ?? ''))
    group.rows++
    for (let index = 0; index < metrics.length; index++) {
      const column = metrics[index]?.index ?? -1
      group.metrics[index]?.add(parseNumber(cells[column] ?? ''))
    }
  }

  /** To be called once, after the last row: the accumulators are used up. */
  finish(): AggregationResult {
    const open = [...this.#groups.values()]
    const groups = open.map(closeGroup).sort(groupOrder(open.map(({ label }) => label)))
    if (this.#others !== undefined) groups.push(closeGroup(this.#others))

    const total = this.#open(ALL_ROWS)
    for (const group of this.#others === undefined ? open : [...open, this.#others]) {
      total.rows += group.rows
      total.metrics.forEach((metric, index) => {
        const part = group.metrics[index]
        if (part !== undefined) metric.absorb(part)
      })
    }
    const closedTotal = closeGroup(total)
    return {
      rows: this.#rows,
      raggedRows: this.#raggedRows,
      groups: this.#plan.groupBy === undefined ? [] : groups,
      total: closedTotal,
      approximate: [...groups, closedTotal].some(({ metrics }) =>
        metrics.some(({ approximate }) => approximate),
      ),
      groupLimit: this.#others === undefined ? undefined : this.#groupLimit,
    }
  }

  #groupOf(cell: string): OpenGroup {
    const trimmed = cell.trim()
    const label = trimmed === '' ? EMPTY_GROUP : trimmed.length > LONGEST_LABEL ? cut(trimmed) : trimmed
    const known = this.#groups.get(label)
    if (known !== undefined) return known
    if (this.#groups.size >= this.#groupLimit) return (this.#others ??= this.#open(OTHER_GROUPS))
    const group = this.#open(detached(label))
    this.#groups.set(group.label, group)
    return group
  }

  #open(label: string): OpenGroup {
    return { label, rows: 0, metrics: this.#plan.metrics.map(() => new MetricAccumulator(this.#budget)) }
  }
}

/** Empty cells past the header's last are a habit of some programs, not a fault. */
function isRagged(cells: readonly string[], columns: number): boolean {
  if (cells.length === columns) return false
  return cells.length < columns || cells.slice(columns).some((cell) => cell !== '')
}

/** A copy of `text` that keeps no larger text alive, as a slice of a chunk does. */
function detached(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le')
}

function cut(label: string): string {
  return `${label.slice(0, LONGEST_LABEL - 1)}…`
}

function closeGroup({ label, rows, metrics }: OpenGroup): Group {
  return { label, rows, metrics: metrics.map((metric) => metric.result()) }
}

/** Numbers and ISO dates in their own order, anything else by rows, most first. */
function groupOrder(labels: readonly string[]): (a: Group, b: Group) => number {
  const named = labels.filter((label) => label !== EMPTY_GROUP)
  if (named.length > 0 && named.every((label) => parseNumber(label) !== undefined)) {
    return (a, b) => (parseNumber(a.label) ?? Infinity) - (parseNumber(b.label) ?? Infinity) || byLabel(a, b)
  }
  if (named.length > 0 && named.every((label) => /^\d{4}-\d{2}(-\d{2})?$/.test(label))) {
    return (a, b) => Number(a.label === EMPTY_GROUP) - Number(b.label === EMPTY_GROUP) || byLabel(a, b)
  }
  return (a, b) => b.rows - a.rows || byLabel(a, b)
}

/** By code unit, so that every machine and language gives the same order. */
function byLabel(a: Group, b: Group): number {
  return a.label < b.label ? -1 : a.label > b.label ? 1 : 0
}
