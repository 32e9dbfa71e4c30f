import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { eventually } from '../../support/eventually.js'
import { recordingLog, type RecordingLog } from '../../support/recording-log.js'
import { testApp } from '../../support/test-app.js'
import type { Celery } from '../../../src/index.js'

/** Compute for so long, and for nothing. */
function compute(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

async function startBlockingWorker(): Promise<{ readonly app: Celery; readonly log: RecordingLog }> {
  const log = recordingLog()
  const app = testApp('memory://', { log, workerShutdownTimeout: 0.1 })
  app.task('heavy.at_once', (ms: number) => compute(ms))
  app.task('heavy.later', async (ms: number) => {
    await sleep(300)
    compute(ms)
    await sleep(1)
  })
  app.task('light', (ms: number) => sleep(ms))
  const worker = await app.startWorker()
  atTestEnd(() => worker.stop())
  return { app, log }
}

function warnings(log: RecordingLog): string[] {
  return log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
}

it('names a task that computes without waiting, with its id and for how long', async () => {
  const { app, log } = await startBlockingWorker()
  const { id } = await app.sendTask('heavy.at_once', [700])
  await eventually(() => warnings(log).length > 0)
  expect(warnings(log)).toEqual([
    expect.stringMatching(
      new RegExp(
        `^Task heavy\\.at_once\\[${id}\\] blocked the event loop for (7|8|9|\\d\\d)\\d\\d ms: run it in a pool`,
      ),
    ),
  ])
  const { fields } = log.lines.find(({ level }) => level === 'warn') ?? {}
  expect(fields).toMatchObject({ taskId: id, task: 'heavy.at_once' })
  expect(fields?.['blockedMs']).toBeGreaterThanOrEqual(700)
})

it('names one that computes after it has waited, among others from the second time on', async () => {
  const { app, log } = await startBlockingWorker()
  await Promise.all(Array.from({ length: 8 }, () => app.sendTask('light', [10_000])))
  await app.sendTask('heavy.later', [1600])
  await eventually(() => warnings(log).length > 0)
  expect(warnings(log)[0]).toMatch(
    /^the event loop stood still for \d+ ms, computing for \d+ of them, while these ran: light\[.* and 4 others$/,
  )
  const { id } = await app.sendTask('heavy.later', [1600])
  await eventually(() =>
    warnings(log).some((line) => line.startsWith(`Task heavy.later[${id}] blocked the event loop for`)),
  )
})
