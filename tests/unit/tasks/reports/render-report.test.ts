import { describe, expect, it } from 'vitest'
import { decimalsFor, formatNumber } from '../../../../src/tasks/reports/format-number.js'
import { renderBarChart } from '../../../../src/tasks/reports/render-bar-chart.js'
import { renderCsv } from '../../../../src/tasks/reports/render-csv.js'
import { renderHtml } from '../../../../src/tasks/reports/render-html.js'
import { renderJson } from '../../../../src/tasks/reports/render-json.js'
import type { Report } from '../../../../src/tasks/reports/report.js'

const ATTACK = `<script>alert("x" + 'y')</script> & co`

function reportWith({ label = 'Oslo', column = 'price', groupBy = 'city' }): Report {
  const metrics = [
    {
      count: 2,
      missing: 1,
      sum: 1234.5,
      mean: 617.25,
      min: -3,
      max: 1237.5,
      p95: 1175.475,
      approximate: true,
    },
  ]
  return {
    reportId: 'r-1',
    source: `${label}.csv`,
    madeAt: new Date('2026-01-02T03:04:05Z'),
    rows: 3,
    raggedRows: 0,
    columns: [groupBy, column],
    groupBy,
    metrics: [{ column, aggregates: ['count', 'missing', 'sum', 'mean', 'min', 'max', 'p95'] }],
    groups: [{ label, rows: 3, metrics }],
    total: { label: 'All rows', rows: 3, metrics },
    approximate: true,
    notes: [`about ${label}`],
  }
}

describe('renderHtml', () => {
  it('escapes everything that comes from the source', () => {
    const page = renderHtml(reportWith({ label: ATTACK, column: `price ${ATTACK}`, groupBy: `by ${ATTACK}` }))
    expect(page).not.toContain('<script')
    expect(page).not.toMatch(/alert\("/)
    expect(page).toContain('&lt;script&gt;alert(&quot;x&quot; + &#39;y&#39;)&lt;/script&gt; &amp; co')
  })

  it('needs no script and no request', () => {
    const page = renderHtml(reportWith({}))
    expect(page).not.toMatch(/<(script|link|img|iframe|object|embed)\b|\bon\w+=|url\(|@import|https?:/i)
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
  })

  it('shows figures with separators and marks estimates', () => {
    const page = renderHtml(reportWith({}))
    expect(page).toContain('<td>1,234.50</td>')
    expect(page).toContain('<td>\u22123</td>')
    expect(page).toMatch(/<td>≈ 1,175\.4[78]<\/td>/)
    expect(page).toContain('<time datetime="2026-01-02T03:04:05.000Z">2 Jan 2026, 03:04 UTC</time>')
  })
})

describe('renderBarChart', () => {
  it('draws negative values to the left of zero', () => {
    const chart = renderBarChart({
      id: 'c',
      title: 't',
      bars: [
        { label: 'up', value: 30 },
        { label: 'down', value: -10 },
      ],
    })
    expect(chart).toContain('<rect class="bar" x="25%" y="19" width="75%"')
    expect(chart).toContain('<rect class="bar negative" x="0%" y="58" width="25%"')
  })

  it('cuts long labels and keeps their full text as a title', () => {
    const label = 'Flughafen der Hansestadt Hamburg, Vorfeld 2'
    const chart = renderBarChart({ id: 'c', title: 't', bars: [{ label, value: 1 }] })
    expect(chart).toMatch(/class="label">Flughafen der Hansestadt [^<]*…</)
    expect(chart).toContain(`<title>${label}: 1</title>`)
  })

  it('says how many bars it leaves to the table, and what it shows to those who do not see it', () => {
    const bars = Array.from({ length: 33 }, (_, index) => ({ label: `g${index}`, value: null }))
    const chart = renderBarChart({ id: 'c', title: 't', bars })
    expect(chart).toContain('and 3 more in the table')
    expect(chart).toContain('aria-labelledby="c-title c-desc"')
    expect(chart).toContain('g29: –.</desc>')
  })
})

describe('renderCsv', () => {
  it('writes a line per group and one for all rows, numbers as they are', () => {
    expect(renderCsv(reportWith({}))).toBe(
      'city,rows,price count,price missing,price sum,price mean,price min,price max,price p95\r\n' +
        'Oslo,3,2,1,1234.5,617.25,-3,1237.5,1175.475\r\n' +
        'All rows,3,2,1,1234.5,617.25,-3,1237.5,1175.475\r\n',
    )
  })

  it.each([
    ['=1+1', `"'=1+1"`],
    ['+cmd|calc', `"'+cmd|calc"`],
    ['-2+3', `"'-2+3"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['\t=1', `"'\t=1"`],
    ['＝1', `"'＝1"`],
    ['=HYPERLINK("x")', `"'=HYPERLINK(""x"")"`],
    ['-5', '-5'],
    ['+1,200', '"+1,200"'],
    ['say "hi"', '"say ""hi"""'],
    ['two\nlines', '"two\nlines"'],
  ])('writes the label %j as %s', (label, cell) => {
    expect(renderCsv(reportWith({ label })).split('\r\n')[1]?.startsWith(`${cell},3,`)).toBe(true)
  })

  it('guards its header, too', () => {
    expect(renderCsv(reportWith({ groupBy: '=A1', column: '@B' }))).toMatch(/^"'=A1",rows,"'@B count",/)
  })
})

describe('renderJson', () => {
  it('keeps a column with a name that objects treat specially', () => {
    const text = renderJson(reportWith({ column: '__proto__' }))
    expect(text).toContain('"__proto__": {\n          "count": 2')
  })
})

describe('formatNumber', () => {
  it.each([
    [[1, 2_000_000], '2,000,000'],
    [[1.5, 100], '100.00'],
    [[0.1, 0.025], '0.025'],
    [[1e15], '1E15'],
    [[1.25, -0.000001], '\u22121E\u22126'],
    [[null], '–'],
  ])('writes the last of %j as %s', (values, text) => {
    expect(formatNumber(values.at(-1) ?? null, decimalsFor(values))).toBe(text)
  })
})
