import { MalformedCsvError } from './errors.js'
import { openSource, type OpenSource } from './open-source.js'
import { planReport, type ReportPlan } from './plan-report.js'
import { readCsv, type CsvFindings } from './read-csv.js'
import { renderCsv } from './render-csv.js'
import { renderHtml } from './render-html.js'
import { renderJson } from './render-json.js'
import type { Report } from './report.js'
import {
  checkRequest,
  type ReportFormat,
  type ReportProgress,
  type ReportRequest,
  type ReportSummary,
} from './report-request.js'
import { RowAggregation, type AggregationResult } from './row-aggregation.js'
import { writeArtifact } from './write-artifact.js'

/** Rows looked at before columns are chosen. */
const SAMPLE_ROWS = 1_000
const PROGRESS_INTERVAL_MS = 300

const RENDERERS: Readonly<Record<ReportFormat, (report: Report) => string>> = {
  html: renderHtml,
  csv: renderCsv,
  json: renderJson,
}

export interface ReportHooks {
  /** Called at the start, then a few times a second, then at the end. Waited for; what it throws ends the report. */
  onProgress(progress: ReportProgress): Promise<void> | void
  /** Ends the report within a chunk of the source, with the signal's reason. Nothing is left behind. */
  readonly signal: AbortSignal
  /** @default the system's clock */
  now?(): Date
}

/**
 * Read a CSV source, aggregate it by group, and write the report `<reportId>.<format>` to the artifact
 * directory. Memory does not grow with the source.
 *
 * Doing it again replaces the file in one step with an equal one (but for the time it was made), so it is
 * safe where a task is delivered twice.
 *
 * @throws {@link InvalidReportRequestError} {@link UnknownColumnError} {@link MalformedCsvError}
 * {@link SourceNotAllowedError} {@link SourceNotReadableError} {@link SourceTooLargeError}: asking again
 * gives the same. {@link SourceUnavailableError}: asking again may help.
 */
export async function processReport(request: ReportRequest, hooks: ReportHooks): Promise<ReportSummary> {
  const startMs = performance.now()
  checkRequest(request)
  hooks.signal.throwIfAborted()

  const report = await readReport(request, hooks)
  const file = `${request.reportId}.${request.format}`
  const bytes = await writeArtifact(
    request.artifactDir,
    file,
    RENDERERS[request.format](report),
    hooks.signal,
  )
  return {
    report_id: request.reportId,
    format: request.format,
    rows: report.rows,
    ragged_rows: report.raggedRows,
    groups: report.groups.length,
    columns: report.columns.length,
    group_by: report.groupBy ?? null,
    metrics: report.metrics.map(({ column }) => column),
    file,
    bytes,
    url: `/api/reports/${request.reportId}/download`,
    took_ms: Math.round(performance.now() - startMs),
    approximate: report.approximate,
    notes: report.notes,
  }
}

async function readReport(request: ReportRequest, hooks: ReportHooks): Promise<Report> {
  const source = await openSource(request, hooks.signal)
  try {
    const table = new TableAggregation(request)
    const findings = await readAll(source, table, hooks)
    const { plan, result } = table.finish()
    return {
      reportId: request.reportId,
      source: source.label,
      madeAt: hooks.now?.() ?? new Date(),
      rows: result.rows,
      raggedRows: result.raggedRows,
      columns: plan.columns,
      groupBy: plan.groupBy?.name,
      metrics: plan.metrics,
      groups: result.groups,
      total: result.total,
      approximate: result.approximate,
      notes: [...plan.notes, ...describeFindings(findings, plan, result)],
    }
  } finally {
    await source.close()
  }
}

async function readAll(
  source: OpenSource,
  table: TableAggregation,
  hooks: ReportHooks,
): Promise<CsvFindings> {
  const total = source.size ?? 0
  let current = 0
  async function* chunks(): AsyncGenerator<Buffer> {
    let reportedMs = performance.now()
    for await (const chunk of source.chunks) {
      hooks.signal.throwIfAborted()
      yield chunk
      current += chunk.length
      if (performance.now() - reportedMs >= PROGRESS_INTERVAL_MS) {
        reportedMs = performance.now()
        await hooks.onProgress({ current, total, rows: table.rows })
      }
    }
    hooks.signal.throwIfAborted()
  }
  await hooks.onProgress({ current, total, rows: 0 })
  const findings = await readCsv(chunks(), (cells) => table.add(cells))
  // A file may have grown or shrunk since it was opened.
  await hooks.onProgress({ current, total: current, rows: table.rows })
  return findings
}

/** Takes the header and a sample of the rows to make the plan, then aggregates by it. */
class TableAggregation {
  readonly #request: ReportRequest
  #header: readonly string[] | undefined
  #sample: string[][] = []
  #plan: ReportPlan | undefined
  #aggregation: RowAggregation | undefined

  constructor(request: ReportRequest) {
    this.#request = request
  }

  get rows(): number {
    return this.#aggregation?.rows ?? this.#sample.length
  }

  add(cells: string[]): void {
    if (this.#aggregation !== undefined) {
      this.#aggregation.add(cells)
    } else if (this.#header === undefined) {
      this.#header = cells
    } else {
      this.#sample.push(cells)
      if (this.#sample.length === SAMPLE_ROWS) this.#begin(this.#header)
    }
  }

  finish(): { plan: ReportPlan; result: AggregationResult } {
    if (this.#header === undefined)
      throw new MalformedCsvError('the source is empty: it has not even a header')
    const { plan, aggregation } =
      this.#plan !== undefined && this.#aggregation !== undefined
        ? { plan: this.#plan, aggregation: this.#aggregation }
        : this.#begin(this.#header)
    const result = aggregation.finish()
    if (result.rows > 0 && result.raggedRows === result.rows) {
      throw new MalformedCsvError(
        `none of the ${result.rows} rows has as many cells as the header, ${plan.columns.length}: is the first line the header?`,
      )
    }
    return { plan, result }
  }

  #begin(header: readonly string[]): { plan: ReportPlan; aggregation: RowAggregation } {
    const plan = planReport(header, this.#sample, this.#request)
    const aggregation = new RowAggregation(plan)
    for (const cells of this.#sample) aggregation.add(cells)
    this.#sample = []
    this.#plan = plan
    this.#aggregation = aggregation
    return { plan, aggregation }
  }
}

/** What a reader should know of the data before trusting the numbers. */
function describeFindings(findings: CsvFindings, plan: ReportPlan, result: AggregationResult): string[] {
  const notes: string[] = []
  const count = (value: number): string => value.toLocaleString('en-US')
  if (result.rows === 0) notes.push('The source has a header and no rows.')
  if (findings.encoding !== 'UTF-8')
    notes.push(`The source is not UTF-8; it was read as ${findings.encoding}.`)
  if (findings.hasReplacements)
    notes.push('Some bytes of the source are not UTF-8; they are shown as \ufffd.')
  if (result.raggedRows > 0) {
    notes.push(
      `${count(result.raggedRows)} of ${count(result.rows)} rows have more or fewer cells than the header's ${plan.columns.length}; absent cells count as missing, extra ones are left out.`,
    )
  }
  plan.metrics.forEach(({ column }, index) => {
    const missing = result.total.metrics[index]?.missing ?? 0
    if (missing > 0) {
      notes.push(
        `${JSON.stringify(column)} has no number in ${count(missing)} of ${count(result.rows)} rows.`,
      )
    }
  })
  if (result.groupLimit !== undefined) {
    notes.push(
      `There are more than ${count(result.groupLimit)} groups; the first ${count(result.groupLimit)} are shown and the rest is put together as (other groups).`,
    )
  }
  if (result.approximate)
    notes.push('Some 95th percentiles are estimates, within 1%, because there are very many values.')
  return notes
}
