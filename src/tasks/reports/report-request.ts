import { describeChoices } from './describe-choices.js'
import { InvalidReportRequestError } from './errors.js'

export const FORMATS = ['html', 'csv', 'json'] as const
export type ReportFormat = (typeof FORMATS)[number]

/** What can be computed of a column, in the order in which reports show it. */
export const AGGREGATES = ['count', 'missing', 'sum', 'mean', 'min', 'max', 'p95'] as const
export type Aggregate = (typeof AGGREGATES)[number]

/** Columns to aggregate: all aggregates of each, or the named ones. */
export type MetricsRequest = readonly string[] | Readonly<Record<string, readonly Aggregate[]>>

export interface ReportRequest {
  /** Names the output file: letters, digits, `.`, `_`, `-`; at most 128; not starting with a dot. */
  readonly reportId: string
  /** Path of a CSV file within `allowedDirs`, or an http(s) URL. */
  readonly source: string
  readonly format: ReportFormat
  /** Column whose values make the groups. Left out, a column is chosen: see `planReport`. */
  readonly groupBy?: string
  /** Left out, every numeric column. */
  readonly metrics?: MetricsRequest
  /** Where the finished report is written. Created where missing. */
  readonly artifactDir: string
  /** Folders whose files may be read; relative sources are looked up in them. See `defaultSourceDirs`. */
  readonly allowedDirs: readonly string[]
  /**
   * Read URLs that lead to loopback, private and other special addresses too.
   *
   * @default false
   */
  readonly allowPrivateSources?: boolean
  /**
   * Most bytes to read of a URL.
   *
   * @default 2 GiB
   */
  readonly maxSourceBytes?: number
}

/** How far a report is. */
export interface ReportProgress {
  /** Bytes of the source read so far. */
  readonly current: number
  /** Bytes of the source; 0 while unknown, as for a URL without a length. */
  readonly total: number
  /** Rows aggregated so far, without the header. */
  readonly rows: number
}

/** What the task returns: plain JSON in snake case, because Python reads it. */
export interface ReportSummary {
  readonly report_id: string
  readonly format: ReportFormat
  /** Data rows, without the header and blank lines. */
  readonly rows: number
  /** Rows with more or fewer cells than the header. */
  readonly ragged_rows: number
  readonly groups: number
  /** Number of the source's columns. */
  readonly columns: number
  readonly group_by: string | null
  /** Columns aggregated. */
  readonly metrics: readonly string[]
  /** Name of the finished file within the artifact directory. */
  readonly file: string
  readonly bytes: number
  readonly url: string
  readonly took_ms: number
  /** Whether a 95th percentile is an estimate (within 1 %). */
  readonly approximate: boolean
  /** What a reader should know of the data, one sentence each. */
  readonly notes: readonly string[]
}

const REPORT_ID = /^(?!\.)[A-Za-z0-9._-]{1,128}$/

/** @throws {@link InvalidReportRequestError} naming the argument, its value and what was expected. */
export function checkRequest(request: ReportRequest): void {
  if (!REPORT_ID.test(request.reportId)) {
    throw new InvalidReportRequestError(
      `report_id ${quote(request.reportId)} is not 1 to 128 of the characters A-Z a-z 0-9 . _ - that do not start with a dot`,
    )
  }
  if (!FORMATS.includes(request.format)) {
    throw new InvalidReportRequestError(
      `format ${quote(request.format)} is none of ${describeChoices(request.format, FORMATS)}`,
    )
  }
  if (request.source === '' || request.source.includes('\0')) {
    throw new InvalidReportRequestError(`source ${quote(request.source)} is neither a path nor a URL`)
  }
  for (const [column, aggregates] of requestedMetrics(request.metrics) ?? []) {
    const unknown = aggregates.find((aggregate) => !AGGREGATES.includes(aggregate))
    if (unknown !== undefined || aggregates.length === 0) {
      throw new InvalidReportRequestError(
        `metrics of column ${quote(column)}: ${quote(unknown ?? '')} is none of ${describeChoices(unknown ?? '', AGGREGATES)}`,
      )
    }
  }
}

/** Both ways of asking for metrics as one; `undefined` where the choice is left to the report. */
export function requestedMetrics(
  metrics: MetricsRequest | undefined,
): readonly (readonly [column: string, aggregates: readonly Aggregate[]])[] | undefined {
  if (metrics === undefined) return undefined
  if (isColumnList(metrics)) return [...new Set(metrics)].map((column) => [column, AGGREGATES])
  return Object.entries(metrics).map(([column, asked]) => [
    column,
    // Unknown names are kept for `checkRequest` to refuse.
    [
      ...AGGREGATES.filter((each) => asked.includes(each)),
      ...asked.filter((each) => !AGGREGATES.includes(each)),
    ],
  ])
}

function isColumnList(metrics: MetricsRequest): metrics is readonly string[] {
  return Array.isArray(metrics)
}

function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value)
}
