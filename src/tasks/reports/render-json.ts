import type { Group, Report } from './report.js'

/**
 * A report as JSON, in snake case as the rest of what Python reads:
 *
 * ```json
 * {
 *   "report_id": "r-1", "source": "sales.csv", "made_at": "2026-11-21T07:12:00.000Z",
 *   "rows": 3, "ragged_rows": 0, "columns": ["city", "price"], "group_by": "city",
 *   "metrics": [{ "column": "price", "aggregates": ["count", "p95"] }],
 *   "groups": [{ "group": "Oslo", "rows": 3, "metrics": { "price": { "count": 2, "p95": 9.5, "approximate": false } } }],
 *   "total": { "group": "All rows", "rows": 3, "metrics": { "price": { "count": 2, "p95": 9.5, "approximate": false } } },
 *   "approximate": false, "notes": []
 * }
 * ```
 *
 * `groups` is empty where `group_by` is null. Aggregates are null where no value was there; `approximate`
 * says that `p95` is an estimate within 1 %.
 */
export function renderJson(report: Report): string {
  const group = ({ label, rows, metrics }: Group): object => ({
    group: label,
    rows,
    metrics: Object.fromEntries(
      report.metrics.map(({ column, aggregates }, index) => [
        column,
        {
          ...Object.fromEntries(
            aggregates.map((aggregate) => [aggregate, metrics[index]?.[aggregate] ?? null]),
          ),
          approximate: metrics[index]?.approximate ?? false,
        },
      ]),
    ),
  })
  const document = {
    report_id: report.reportId,
    source: report.source,
    made_at: report.madeAt.toISOString(),
    rows: report.rows,
    ragged_rows: report.raggedRows,
    columns: report.columns,
    group_by: report.groupBy ?? null,
    metrics: report.metrics.map(({ column, aggregates }) => ({ column, aggregates })),
    groups: report.groups.map(group),
    total: group(report.total),
    approximate: report.approximate,
    notes: report.notes,
  }
  return `${JSON.stringify(document, null, 2)}\n`
}
