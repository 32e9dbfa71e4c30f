/**
 * Does a report's memory stay flat? Makes a small and a large CSV, reports on each in a process of its own,
 * and prints speed and peak memory side by side.
 *
 *     npx tsx bench/report-memory.ts [large MB, default 500] [small MB, default 5]
 */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { processReport } from '../src/tasks/reports/process-report.js'

interface Measured {
  readonly rows: number
  readonly tookMs: number
  readonly peakMegabytes: number
}

const MEGABYTE = 1_000_000
const PHASES = ['Approach', 'Climb', 'Take-off run', 'Landing roll', 'Descent', 'Taxi', 'Parked']

/** Rows as those of a real table: text, a quoted cell in every third row, dates, blanks, money. */
function* rows(bytes: number): Generator<string> {
  let block = 'airport,model,operator,date,phase,species,remarks,cost repair,cost total,speed\r\n'
  let written = 0
  // A fixed linear congruential generator: the same file every time.
  let seed = 42
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((seed / 2 ** 31) * below)
  }
  while (written < bytes) {
    for (let row = 0; row < 1_000; row++) {
      const remarks = random(3) === 0 ? `"hit the ""left"" engine, ${random(900)} ft"` : 'nothing to add'
      const cost = random(4) === 0 ? '' : `${random(2_000_000) / 100}`
      const date = `199${random(10)}-0${1 + random(9)}-1${random(10)}`
      block += `AIRPORT ${random(400)} INTL,B-7${random(9)}7-200,CARRIER ${random(90)},${date},${PHASES[random(7)] ?? ''},bird ${random(50)},${remarks},${cost},${random(9_000)},${random(350)}\r\n`
    }
    written += block.length
    yield block
    block = ''
  }
}

async function measure(dir: string, megabytes: number): Promise<Measured> {
  const source = path.join(dir, `${megabytes}.csv`)
  await pipeline(Readable.from(rows(megabytes * MEGABYTE)), createWriteStream(source))
  try {
    const self = fileURLToPath(import.meta.url)
    const child = await promisify(execFile)(process.execPath, [...process.execArgv, self, '--child', source])
    return JSON.parse(child.stdout) as Measured
  } finally {
    await rm(source)
  }
}

async function reportOn(source: string): Promise<Measured> {
  const { size } = await stat(source)
  const dir = path.dirname(source)
  const summary = await processReport(
    {
      reportId: `bench-${size}`,
      source,
      format: 'html',
      groupBy: 'phase',
      artifactDir: dir,
      allowedDirs: [dir],
    },
    { onProgress: () => undefined, signal: new AbortController().signal },
  )
  const peakMegabytes = process.resourceUsage().maxRSS / 1024
  return { rows: summary.rows, tookMs: summary.took_ms, peakMegabytes }
}

function print(megabytes: number, { rows, tookMs, peakMegabytes }: Measured): void {
  const perSecond = (value: number): string => Math.round(value / (tookMs / 1000)).toLocaleString('en-US')
  console.log(
    `${megabytes} MB: ${rows.toLocaleString('en-US')} rows in ${(tookMs / 1000).toFixed(2)} s, ` +
      `${perSecond(rows)} rows/s, ${perSecond(megabytes)} MB/s, peak memory ${peakMegabytes.toFixed(0)} MiB`,
  )
}

if (process.argv[2] === '--child') {
  console.log(JSON.stringify(await reportOn(process.argv[3] ?? '')))
} else {
  const large = Number(process.argv[2] ?? 500)
  const small = Number(process.argv[3] ?? 5)
  const dir = await mkdtemp(path.join(os.tmpdir(), 'lovage-report-memory-'))
  try {
    const [smaller, larger] = [await measure(dir, small), await measure(dir, large)]
    console.log(
      `Node ${process.version}, ${os.cpus()[0]?.model ?? 'unknown CPU'}; HTML report, 3 metrics, 7 groups`,
    )
    print(small, smaller)
    print(large, larger)
    console.log(
      `${large / small} times the data, ${(larger.peakMegabytes / smaller.peakMegabytes).toFixed(2)} times the memory`,
    )
  } finally {
    await rm(dir, { recursive: true })
  }
}
