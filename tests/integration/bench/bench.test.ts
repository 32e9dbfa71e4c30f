import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { startProcess } from '../../support/start-process.js'
import { tempDir } from '../../support/temp-dir.js'

// Twenty processes one after another take their time on a busy machine.
it('measures the worker and its peers and writes the ratios down', { timeout: 120_000 }, async () => {
  const output = path.join(await tempDir(), 'results.md')
  const flags = ['--quick', '--built', '--peers', 'lovage,bullmq', '--output', output]

  const bench = startProcess(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...flags])
  const { code } = await bench.exit
  await bench.drained

  expect(code, bench.output()).toBe(0)
  const report = await readFile(output, 'utf8')
  const figures = [...report.matchAll(/^\| (Lovage|BullMQ)[^|]*\|\s*([\d,.]+) \|/gm)]
  // A worker each, two and three producers, a round trip each; a group and a chord of the one that has them.
  expect(figures.map(([, peer]) => peer).sort()).toEqual([
    ...Array.from({ length: 5 }, () => 'BullMQ'),
    ...Array.from({ length: 6 }, () => 'Lovage'),
  ])
  expect(figures.map(([, , figure]) => Number(figure?.replaceAll(',', '')))).not.toContain(0)
  expect(report).toMatch(/^Expected: at least 1\.6 × BullMQ, .*with \d+\.\d\d\.$/m)
  for (const audience of ['nobody listens', 'one listens']) {
    const verdict = `^Expected: at least 0\\.85 of it with events, ${audience}; .*with \\d+\\.\\d\\d\\.$`
    expect(report).toMatch(new RegExp(verdict, 'm'))
  }
  expect(report).toMatch(/^look takes \d+\.\d ns: \d+ ns of the [\d,]+ ns that a task takes/m)
  expect(report).not.toContain('Not measured')
})

it('leaves out what fails and what an interrupt cuts off, and writes the rest down', async () => {
  const directory = await tempDir()
  const output = path.join(directory, 'results.md')
  const python = path.join(directory, 'python')
  const pids = path.join(directory, 'pids')
  // A Celery whose group fails, and whose worker and chord go on for ever.
  const program = [
    '#!/bin/sh',
    'case "$*" in',
    '  *version*) echo 5.0 on Python 3.0 ;;',
    '  *group*) echo no groups today; exit 3 ;;',
    `  *) echo $$ >> '${pids}'; exec sleep 1000 ;;`,
    'esac',
  ]
  await writeFile(python, program.join('\n'), { mode: 0o755 })
  const flags = ['--quick', '--built', '--peers', 'lovage,celery', '--only', 'canvases', '--output', output]
  const env = { CELERY_PYTHON: python, CELERY52_PYTHON: python, MONITORS_PYTHON: python }

  const bench = startProcess(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...flags], { env })
  await bench.waitForLine(/^bench: round 1 of 1: Celery prefork, chord$/)
  // The worker of the group, of the chord, and its client.
  await eventually(async () => (await started(pids)).length === 3)
  bench.signal('SIGINT')
  const { code } = await bench.exit

  expect(code, bench.output()).toBe(130)
  const report = await readFile(output, 'utf8')
  expect(
    [...report.matchAll(/^\| (Lovage, \w+) +\| +[\d,]+ \| +1\.00 \|$/gm)].map(([, line]) => line),
  ).toEqual(['Lovage, group', 'Lovage, chord'])
  expect([...report.matchAll(/^Not measured: (.*)$/gm)].map(([, line]) => line)).toEqual([
    'Celery prefork, group: a process ended with 3; it printed: no groups today.',
    'Celery prefork, chord: interrupted by SIGINT.',
  ])
  await eventually(async () => !(await started(pids)).some(isAlive))
})

async function started(pids: string): Promise<number[]> {
  return (await readFile(pids, 'utf8')).trim().split('\n').map(Number)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('measures how speed scales, and plots it', { timeout: 120_000 }, async () => {
  const output = await tempDir()
  const flags = ['--quick', '--built', '--output', output]

  const bench = startProcess(process.execPath, ['--import', 'tsx', 'bench/scaling.ts', ...flags])
  const { code } = await bench.exit
  await bench.drained

  expect(code, bench.output()).toBe(0)
  const report = await readFile(path.join(output, 'scaling.md'), 'utf8')
  const plots = [...report.matchAll(/\]\((plots\/.*\.svg)\)/g)].map(([, plot = '']) => plot)
  expect(plots).toHaveLength(4)
  for (const plot of plots) {
    const bars = (await readFile(path.join(output, plot), 'utf8')).match(/<rect x=/g)
    expect(bars).toHaveLength(3)
  }
})
