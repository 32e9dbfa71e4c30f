import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { startProcess } from '../../support/start-process.js'
import { tempDir } from '../../support/temp-dir.js'

// Eighteen processes one after another take their time on a busy machine.
it('measures the worker and its peers and writes the ratios down', { timeout: 120_000 }, async () => {
  const output = path.join(await tempDir(), 'results.md')
  const flags = ['--quick', '--built', '--peers', 'lovage,bullmq', '--output', output]

  const bench = startProcess(process.execPath, ['--import', 'tsx', 'bench/run.ts', ...flags])
  const { code } = await bench.exit
  await bench.drained

  expect(code, bench.output()).toBe(0)
  const report = await readFile(output, 'utf8')
  const figures = [...report.matchAll(/^\| (Lovage|BullMQ)[^|]*\|\s*([\d,.]+) \|/gm)]
  // A worker each and one with events, two and three producers, a round trip each; a group and a chord of the one that
  // has them.
  expect(figures.map(([, peer]) => peer).sort()).toEqual([
    ...Array.from({ length: 5 }, () => 'BullMQ'),
    ...Array.from({ length: 7 }, () => 'Lovage'),
  ])
  expect(figures.map(([, , figure]) => Number(figure?.replaceAll(',', '')))).not.toContain(0)
  expect(report).toMatch(/^Expected: at least 1\.6 × BullMQ, .*with \d+\.\d\d\.$/m)
  expect(report).toMatch(/^Expected: at least 0\.85 of it with events; .*with \d+\.\d\d\.$/m)
})

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
