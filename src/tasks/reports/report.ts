import type { MetricResult } from './metric-accumulator.js'
import type { Aggregate } from './report-request.js'

/** A column to aggregate. */
export interface Metric {
  readonly column: string
  readonly aggregates: readonly Aggregate[]
}

/** The rows that share a value of the grouping column. */
export interface Group {
  readonly label: string
  readonly rows: number
  /** One per metric of the report, in its order. */
  readonly metrics: readonly MetricResult[]
}

/** A finished report, before it is written in some format. */
export interface Report {
  readonly reportId: string
  /** Where the data came from, as people may read it: without folders, credentials and query. */
  readonly source: string
  readonly madeAt: Date
  readonly rows: number
  readonly raggedRows: number
  readonly columns: readonly string[]
  readonly groupBy: string | undefined
  readonly metrics: readonly Metric[]
  /** Most rows first, or in their own order where labels are numbers or dates. `(other groups)` is last. */
  readonly groups: readonly Group[]
  readonly total: Group
  readonly approximate: boolean
  readonly notes: readonly string[]
}
