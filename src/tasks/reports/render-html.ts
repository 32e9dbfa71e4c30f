import { escapeHtml } from './escape-html.js'
import { decimalsFor, formatCount, formatNumber, formatShare } from './format-number.js'
import type { MetricResult } from './metric-accumulator.js'
import { renderBarChart } from './render-bar-chart.js'
import { REPORT_STYLE } from './report-style.js'
import type { Group, Metric, Report } from './report.js'
import type { Aggregate } from './report-request.js'

const AGGREGATE_LABELS: Readonly<Record<Aggregate, string>> = {
  count: 'Count',
  missing: 'Missing',
  sum: 'Sum',
  mean: 'Mean',
  min: 'Min',
  max: 'Max',
  p95: '95th pct.',
}

/** Aggregates worth a chart; where none of them was asked for, the first that was. */
const CHARTED: readonly Aggregate[] = ['sum', 'mean']

/** A report as one HTML page that needs nothing else: no script, no request. */
export function renderHtml(report: Report): string {
  const title = titleOf(report)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
${renderHeader(report, title)}
<main>
${[
  report.groupBy === undefined || report.metrics.length > 1 ? renderSummary(report) : '',
  report.groupBy === undefined ? '' : renderRows(report, report.groupBy),
  ...(report.groupBy === undefined
    ? []
    : report.metrics.map((metric, index) => renderMetric(report, metric, index))),
]
  .filter((part) => part !== '')
  .join('\n')}
</main>
${renderFooter(report)}
</body>
</html>
`
}

function titleOf({ metrics, groupBy, source }: Report): string {
  const [only] = metrics
  const subject = only !== undefined && metrics.length === 1 ? only.column : source
  return groupBy === undefined ? subject : `${subject} by ${groupBy}`
}

function renderHeader(report: Report, title: string): string {
  const facts: [string, string][] = [
    ['Source', escapeHtml(report.source)],
    ['Rows', formatCount(report.rows)],
    ['Columns', formatCount(report.columns.length)],
    ...(report.groupBy === undefined
      ? []
      : ([['Groups', formatCount(report.groups.length)]] as [string, string][])),
    ['Made', `<time datetime="${report.madeAt.toISOString()}">${formatInstant(report.madeAt)}</time>`],
  ]
  const notes = report.notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('\n')
  return `<header>
<p class="kind">Report ${escapeHtml(report.reportId)}</p>
<h1>${escapeHtml(title)}</h1>
<dl>
${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('\n')}
</dl>
${notes === '' ? '' : `<aside class="notes" aria-label="Notes"><ul>\n${notes}\n</ul></aside>`}
</header>`
}

function renderSummary({ metrics, total }: Report): string {
  const aggregates = (Object.keys(AGGREGATE_LABELS) as Aggregate[]).filter((aggregate) =>
    metrics.some((metric) => metric.aggregates.includes(aggregate)),
  )
  if (metrics.length === 0) return ''
  const rows = metrics.map((metric, index) => {
    const cells = aggregates.map((aggregate) =>
      metric.aggregates.includes(aggregate)
        ? renderCell(
            total.metrics[index],
            aggregate,
            decimalsFor([total.metrics[index]?.[aggregate] ?? null]),
          )
        : '<td></td>',
    )
    return renderRow(metric.column, cells)
  })
  return `<section aria-labelledby="summary">
<h2 id="summary">All rows</h2>
${renderTable(
  'All rows',
  'Column',
  aggregates.map((each) => AGGREGATE_LABELS[each]),
  rows,
)}
</section>`
}

function renderRows({ groups, total }: Report, groupBy: string): string {
  const row = (group: Group): string =>
    renderRow(group.label, [
      `<td>${formatCount(group.rows)}</td>`,
      `<td>${total.rows === 0 ? '–' : formatShare(group.rows / total.rows)}</td>`,
    ])
  const title = `Rows by ${groupBy}`
  return `<section aria-labelledby="rows">
<h2 id="rows">${escapeHtml(title)}</h2>
<div class="pair">
<div class="charts">
${renderBarChart({ id: 'rows-chart', title: 'Rows', bars: groups.map(({ label, rows }) => ({ label, value: rows })) })}
</div>
${renderTable(title, groupBy, ['Rows', 'Share'], groups.map(row), row(total))}
</div>
</section>`
}

function renderMetric({ groups, total, groupBy }: Report, metric: Metric, index: number): string {
  const { column, aggregates } = metric
  const wanted = CHARTED.filter((aggregate) => aggregates.includes(aggregate))
  const charts = (wanted.length > 0 ? wanted : aggregates.slice(0, 1)).map((aggregate) =>
    renderBarChart({
      id: `metric-${index}-${aggregate}`,
      title: `${AGGREGATE_LABELS[aggregate]} of ${column}`,
      bars: groups.map(({ label, metrics }) => ({ label, value: metrics[index]?.[aggregate] ?? null })),
    }),
  )
  const decimals = aggregates.map((aggregate) =>
    decimalsFor([...groups, total].map(({ metrics }) => metrics[index]?.[aggregate] ?? null)),
  )
  const row = (group: Group): string =>
    renderRow(
      group.label,
      aggregates.map((aggregate, at) => renderCell(group.metrics[index], aggregate, decimals[at] ?? 0)),
    )
  const labels = aggregates.map((aggregate) => AGGREGATE_LABELS[aggregate])
  return `<section aria-labelledby="metric-${index}">
<h2 id="metric-${index}">${escapeHtml(column)}</h2>
<div class="charts">
${charts.join('\n')}
</div>
${renderTable(column, groupBy ?? '', labels, groups.map(row), row(total))}
</section>`
}

function renderTable(
  caption: string,
  firstColumn: string,
  columns: readonly string[],
  rows: readonly string[],
  footRow?: string,
): string {
  return `<div class="scroll" role="region" tabindex="0" aria-label="${escapeHtml(caption)}, table">
<table>
<caption>${escapeHtml(caption)}</caption>
<thead><tr><th scope="col" title="${escapeHtml(firstColumn)}">${escapeHtml(firstColumn)}</th>${columns
    .map((column) => `<th scope="col">${escapeHtml(column)}</th>`)
    .join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
${footRow === undefined ? '' : `<tfoot>${footRow}</tfoot>`}
</table>
</div>`
}

function renderRow(label: string, cells: readonly string[]): string {
  const text = escapeHtml(label)
  return `<tr><th scope="row" title="${text}">${text}</th>${cells.join('')}</tr>`
}

function renderCell(result: MetricResult | undefined, aggregate: Aggregate, decimals: number): string {
  const value = result?.[aggregate] ?? null
  if (value === null) return '<td class="none">–</td>'
  const mark = aggregate === 'p95' && result?.approximate === true ? '≈ ' : ''
  return `<td>${mark}${formatNumber(value, decimals)}</td>`
}

function renderFooter({ metrics, approximate }: Report): string {
  if (metrics.length === 0) return ''
  const percentile = metrics.some(({ aggregates }) => aggregates.includes('p95'))
    ? `<p>95th pct. is the value that 95% of the values do not exceed, interpolated linearly between neighbours.${
        approximate ? ' Those marked ≈ are estimates within 1%, made where there are very many values.' : ''
      }</p>`
    : ''
  return `<footer>
<p>Count is the number of cells with a number; blank and non-numeric cells are missing and enter no other figure.</p>
${percentile}
</footer>`
}

/** `21 Nov 2026, 07:12 UTC` */
function formatInstant(instant: Date): string {
  const text = new Intl.DateTimeFormat('en-GB', {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: 'UTC',
  }).format(instant)
  return `${text} UTC`
}
