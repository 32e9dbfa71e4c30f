import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { processReport } from '../../../src/tasks/reports/process-report.js'
import type {
  ReportProgress,
  ReportRequest,
  ReportSummary,
} from '../../../src/tasks/reports/report-request.js'
import { tempDir } from '../../support/temp-dir.js'

const DATA = path.resolve(import.meta.dirname, 'data')
const BIRDSTRIKES = path.resolve(import.meta.dirname, '../../../../shared/data/birdstrikes.csv')
const NEVER = new AbortController().signal

interface Result {
  readonly group: string
  readonly rows: number
  readonly metrics: Record<string, Record<string, number | boolean | null>>
}

interface JsonReport {
  readonly group_by: string | null
  readonly columns: string[]
  readonly groups: Result[]
  readonly total: Result
}

interface Made {
  readonly summary: ReportSummary
  readonly artifactDir: string
  readonly content: string
}

async function make(request: Partial<ReportRequest> & { source: string }, signal = NEVER): Promise<Made> {
  const artifactDir = request.artifactDir ?? path.join(await tempDir(), 'artifacts')
  const summary = await processReport(
    { reportId: 'r-1', format: 'json', artifactDir, allowedDirs: [DATA], ...request },
    { onProgress: () => undefined, signal, now: () => new Date('2026-01-02T03:04:05Z') },
  )
  return { summary, artifactDir, content: await readFile(path.join(artifactDir, summary.file), 'utf8') }
}

async function makeOf(csv: string | Buffer, request: Partial<ReportRequest> = {}): Promise<Made> {
  const dir = await tempDir()
  const source = path.join(dir, 'source.csv')
  await writeFile(source, csv)
  return make({ source, allowedDirs: [dir], ...request })
}

function json({ content }: Made): JsonReport {
  return JSON.parse(content) as JsonReport
}

describe('numbers', () => {
  it('reads a file with every trap: BOM, CRLF, quotes, money, percentages, blanks, ragged rows', async () => {
    const made = await make({ source: 'traps.csv', groupBy: 'City', metrics: ['Price', 'Share'] })

    expect(made.summary).toMatchObject({
      report_id: 'r-1',
      format: 'json',
      rows: 7,
      ragged_rows: 2,
      groups: 4,
      columns: 4,
      group_by: 'City',
      metrics: ['Price', 'Share'],
      file: 'r-1.json',
      bytes: Buffer.byteLength(made.content),
      url: '/api/reports/r-1/download',
      approximate: false,
    })
    expect(made.summary.notes.join('\n')).toMatch(/2 of 7 rows have more or fewer cells/)
    const { groups, total } = json(made)
    // By hand. Oslo's prices: 1200.50, -200.50, n/a, -0.50; rank 1.9 lies between -0.50 and 1200.50.
    expect(groups.map(({ group, rows }) => [group, rows])).toEqual([
      ['Oslo', 4],
      ['(empty)', 1],
      ['Bergen\r\nnorth', 1],
      ['Tromsø', 1],
    ])
    expect(groups[0]?.metrics.Price).toEqual({
      count: 3,
      missing: 1,
      sum: 999.5,
      mean: 999.5 / 3,
      min: -200.5,
      max: 1200.5,
      p95: expect.closeTo(1080.4, 9) as number,
      approximate: false,
    })
    expect(groups[0]?.metrics.Share).toMatchObject({ count: 2, missing: 2, sum: 13.5 })
    expect(groups[3]?.metrics.Share).toMatchObject({ count: 0, missing: 1, sum: null, mean: null, p95: null })
    expect(total).toMatchObject({ group: 'All rows', rows: 7, metrics: { Price: { count: 6, sum: 1112.5 } } })
  })

  it('finds delimiter, grouping and metrics by itself, with the numbers of Python', async () => {
    const { groups, total, group_by } = json(await make({ source: 'measurements.csv' }))

    // Python: per sensor len(v), math.fsum(v), min(v), max(v), statistics.quantiles(v, n=20, method='inclusive')[18]
    expect(group_by).toBe('sensor')
    const figures = Object.fromEntries([...groups, total].map((each) => [each.group, each.metrics.value]))
    const near = (value: number): number => expect.closeTo(value, 9) as number
    expect(figures).toMatchObject({
      a: {
        count: 61,
        sum: near(88.43),
        min: -178.02,
        max: 177.44,
        p95: near(139.69),
        mean: near(1.4496721311475),
      },
      b: {
        count: 70,
        sum: near(888.69),
        min: -199.08,
        max: 297.23,
        p95: near(167.534),
        mean: near(12.695571428571),
      },
      c: {
        count: 69,
        sum: near(-474.32),
        min: -273.68,
        max: 202.66,
        p95: near(134.37),
        mean: near(-6.8742028985507),
      },
      'All rows': { count: 200, sum: near(502.8), min: -273.68, max: 297.23, p95: near(148.5975) },
    })
    expect(groups.map(({ group }) => group)).toEqual(['b', 'c', 'a'])
  })

  it('agrees with Python on the bird strikes of the FAA', async ({ skip }) => {
    skip(!existsSync(BIRDSTRIKES), `the sample table is not here: ${BIRDSTRIKES}`)
    const made = await make({
      source: BIRDSTRIKES,
      allowedDirs: [path.dirname(BIRDSTRIKES)],
      groupBy: 'Phase of flight',
      metrics: ['Cost Total $'],
    })

    // Printed by data/birdstrikes.py with Python 3.11.
    const expected = [
      ['Approach', 4619, 10617324, 2298.6196146352027, 0, 3644483, 0],
      ['Climb', 1956, 16809261, 8593.691717791411, 0, 7043545, 0],
      ['Take-off run', 1592, 7896621, 4960.189070351758, 0, 1715077, 0],
      ['Landing Roll', 1405, 4522387, 3218.7807829181493, 0, 3811576, 0],
      ['Descent', 399, 697484, 1748.080200501253, 0, 493893, 0],
      ['Taxi', 18, 0, 0, 0, 0, 0],
      ['Parked', 11, 2199, 199.9090909090909, 0, 2199, 1099.5],
      ['All rows', 10000, 40545276, 4054.5276, 0, 7043545, 0],
    ]
    const { groups, total } = json(made)
    const found = [...groups, total].map(({ group, metrics }) => {
      const { count, sum, mean, min, max, p95 } = metrics['Cost Total $'] ?? {}
      return [group, count, sum, mean, min, max, p95]
    })
    expect(found).toEqual(expected)
  })
})

describe('awkward tables', () => {
  it('refuses an empty file', async () => {
    await expect(makeOf('')).rejects.toMatchObject({ code: 'REPORT_MALFORMED_CSV' })
  })

  it('reports a header without rows', async () => {
    const made = await makeOf('a,b\n', { groupBy: 'a', metrics: ['b'], format: 'html' })
    expect(made.summary).toMatchObject({
      rows: 0,
      groups: 0,
      notes: ['The source has a header and no rows.'],
    })
    expect(made.content).toContain('The source has a header and no rows.')
  })

  it('refuses a table none of whose rows fits its header', async () => {
    await expect(makeOf('a\n1,2\n3,4\n')).rejects.toMatchObject({ code: 'REPORT_MALFORMED_CSV' })
  })

  it('does not mind empty cells past the last column', async () => {
    expect((await makeOf('a,b\n1,2,\n3,4,,\n5,6,7\n')).summary).toMatchObject({ rows: 3, ragged_rows: 1 })
  })

  it('names the columns when one is unknown', async () => {
    await expect(makeOf('city,price\nOslo,3\n', { groupBy: 'City ' })).rejects.toThrow(
      /"city", "price"; did you mean "city"\?/,
    )
  })

  it('keeps a thousand groups and puts the rest together', async () => {
    const rows = Array.from({ length: 1_500 }, (_, index) => `g${index},1\n`).join('')
    const made = await makeOf(`key,n\n${rows}`, { groupBy: 'key' })
    const { groups, total } = json(made)
    expect(groups).toHaveLength(1_001)
    expect(groups.at(-1)).toMatchObject({ group: '(other groups)', rows: 500, metrics: { n: { sum: 500 } } })
    expect(total).toMatchObject({ rows: 1_500, metrics: { n: { sum: 1_500 } } })
    expect(made.summary.notes.join()).toContain('more than 1,000 groups')
  })

  it('orders groups that are numbers by number', async () => {
    const { groups } = json(await makeOf('year,n\n2010,1\n999,1\n2010,1\n', { groupBy: 'year' }))
    expect(groups.map(({ group }) => group)).toEqual(['999', '2010'])
  })

  it('escapes what a hostile table puts on the page', async () => {
    const attack = '<script>alert(1)</script>'
    const { content } = await makeOf(`${attack},n\n${attack},1\n"<img src=x onerror=""alert(1)"">",2\n`, {
      groupBy: attack,
      format: 'html',
    })
    expect(content).not.toMatch(/<script|<img/)
    expect(content).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  })
})

describe('the file', () => {
  it('is the same when the report is made again', async () => {
    const first = await make({ source: 'traps.csv', format: 'html' })
    const second = await make({ source: 'traps.csv', format: 'html', artifactDir: first.artifactDir })
    expect(second.content).toBe(first.content)
    expect(await readdir(first.artifactDir)).toEqual(['r-1.html'])
  })

  it('stays as it was, with nothing beside it, when making it again fails', async () => {
    const { artifactDir, content } = await make({ source: 'traps.csv' })
    await expect(make({ source: 'traps.csv', artifactDir, groupBy: 'nothing' })).rejects.toThrow()
    expect(await readdir(artifactDir)).toEqual(['r-1.json'])
    expect(await readFile(path.join(artifactDir, 'r-1.json'), 'utf8')).toBe(content)
  })

  it.each(['', '.hidden', '../x', 'a/b', 'a\\b', 'a b', 'x'.repeat(129), 'nul\0', 'line\n'])(
    'is not written for the report_id %j',
    async (reportId) => {
      const artifactDir = path.join(await tempDir(), 'artifacts')
      await expect(make({ source: 'traps.csv', reportId, artifactDir })).rejects.toMatchObject({
        code: 'REPORT_INVALID_REQUEST',
      })
      expect(existsSync(artifactDir)).toBe(false)
    },
  )

  it('is not written for aggregates that do not exist', async () => {
    const metrics = { Price: ['meen'] } as unknown as NonNullable<ReportRequest['metrics']>
    await expect(make({ source: 'traps.csv', metrics })).rejects.toThrow(
      /"meen" is none of .*did you mean "mean"\?/,
    )
  })
})

describe('progress and abort', () => {
  const BLOCK = 'Oslo,12.5,some text to fill the row\n'.repeat(30_000)

  async function largeFile(): Promise<{ dir: string; source: string; size: number }> {
    const dir = await tempDir()
    const source = path.join(dir, 'large.csv')
    await using file = await open(source, 'w')
    await file.write('city,price,text\n')
    for (let block = 0; block < 30; block++) await file.write(BLOCK)
    const { size } = await file.stat()
    return { dir, source, size }
  }

  it('tells how many bytes of how many are read, seldom, and at last that all are', async () => {
    const { dir, source, size } = await largeFile()
    const seen: ReportProgress[] = []
    const startMs = performance.now()
    await processReport(
      { reportId: 'r-1', source, format: 'csv', artifactDir: dir, allowedDirs: [dir] },
      { onProgress: (progress) => void seen.push(progress), signal: NEVER },
    )
    expect(seen[0]).toEqual({ current: 0, total: size, rows: 0 })
    expect(seen.at(-1)).toEqual({ current: size, total: size, rows: 900_000 })
    expect(seen.length).toBeLessThanOrEqual((performance.now() - startMs) / 300 + 2)
    expect(seen.map(({ current }) => current)).toEqual(
      seen.map(({ current }) => current).sort((a, b) => a - b),
    )
  })

  it('ends with the reason of the signal, at once, and leaves nothing', async () => {
    const { dir, source, size } = await largeFile()
    const artifactDir = path.join(dir, 'artifacts')
    const abort = new AbortController()
    const reason = new Error('soft time limit')
    let last = 0
    const running = processReport(
      { reportId: 'r-1', source, format: 'csv', artifactDir, allowedDirs: [dir] },
      {
        onProgress({ current }) {
          last = current
          if (current > 0) abort.abort(reason)
        },
        signal: abort.signal,
      },
    )
    await expect(running).rejects.toBe(reason)
    expect(last).toBeGreaterThan(0)
    expect(last).toBeLessThan(size)
    expect(existsSync(artifactDir)).toBe(false)
  })

  it('reads no further chunk once the signal has aborted', async () => {
    const dir = await tempDir()
    const source = path.join(dir, 'endless-quote.csv')
    await writeFile(source, `a,b\n"${'x'.repeat(3_000_000)}`)
    const abort = new AbortController()
    const running = processReport(
      { reportId: 'r-1', source, format: 'csv', artifactDir: dir, allowedDirs: [dir] },
      { onProgress: () => abort.abort(new Error('revoked')), signal: abort.signal },
    )
    // Were it read, the record that never ends would be the error.
    await expect(running).rejects.toThrow('revoked')
  })

  it('does not begin when the signal has aborted', async () => {
    await expect(make({ source: 'traps.csv' }, AbortSignal.abort(new Error('too late')))).rejects.toThrow(
      'too late',
    )
  })
})

describe('places of files', () => {
  it.each([
    '/etc/passwd',
    '../../../../../../../../etc/passwd',
    'file:///etc/passwd',
    `${DATA}/../process-report.test.ts`,
  ])('refuses %s, naming the places that are allowed', async (source) => {
    await expect(make({ source })).rejects.toMatchObject({ code: 'REPORT_SOURCE_NOT_ALLOWED' })
    if (!source.startsWith('file:')) await expect(make({ source })).rejects.toThrow(JSON.stringify(DATA))
  })

  it('refuses a link that leads outside, and follows one that stays inside', async () => {
    const dir = await tempDir()
    const outside = await tempDir()
    await writeFile(path.join(outside, 'secret.csv'), 'a,b\n1,2\n')
    await writeFile(path.join(dir, 'real.csv'), 'a,b\n1,2\n')
    await symlink(path.join(outside, 'secret.csv'), path.join(dir, 'escape.csv'))
    await symlink(outside, path.join(dir, 'folder'))
    await symlink('real.csv', path.join(dir, 'link.csv'))

    for (const source of ['escape.csv', 'folder/secret.csv']) {
      await expect(make({ source, allowedDirs: [dir] })).rejects.toMatchObject({
        code: 'REPORT_SOURCE_NOT_ALLOWED',
      })
    }
    expect((await make({ source: 'link.csv', allowedDirs: [dir] })).summary.rows).toBe(1)
  })

  it('allows a folder that is itself a link, by both its names', async () => {
    const real = await tempDir()
    const linked = path.join(await tempDir(), 'uploads')
    await writeFile(path.join(real, 'a.csv'), 'a,b\n1,2\n')
    await symlink(real, linked)
    for (const source of [path.join(linked, 'a.csv'), path.join(real, 'a.csv'), 'a.csv']) {
      expect((await make({ source, allowedDirs: [linked] })).summary.rows).toBe(1)
    }
  })

  it('says when there is no such file, or it is a folder', async () => {
    const dir = await tempDir()
    await mkdir(path.join(dir, 'folder'))
    for (const source of ['none.csv', 'folder']) {
      await expect(make({ source, allowedDirs: [dir] })).rejects.toMatchObject({
        code: 'REPORT_SOURCE_NOT_READABLE',
      })
    }
  })
})
