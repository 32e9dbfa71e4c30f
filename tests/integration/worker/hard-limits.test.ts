import { expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { eventually } from '../../support/eventually.js'
import { recordingLog } from '../../support/recording-log.js'
import { testApp } from '../../support/test-app.js'
import type { AppOptions, Celery, RunningWorker } from '../../../src/index.js'

interface Site {
  readonly app: Celery
  readonly worker: RunningWorker
  /** Lets the tasks `deaf` return. */
  readonly release: () => void
  readonly warnings: () => readonly string[]
}

const PATIENCE = { timeout: 10_000 }

async function site(settings: AppOptions = {}): Promise<Site> {
  const log = recordingLog()
  const app = testApp('memory://', { log, workerShutdownTimeout: 0.1, ...settings })
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  app.task('deaf', () => released)
  app.task('quick', { timeLimit: 3 }, () => 'done')
  const worker = await app.startWorker({ hostname: 'w@here', concurrency: 1 })
  atTestEnd(() => worker.stop())
  const warnings = (): string[] =>
    log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
  return { app, worker, release, warnings }
}

async function active(app: Celery): Promise<readonly string[]> {
  const replies = await app.control.inspect({ destination: 'w@here', timeout: 10_000 }).active()
  return (replies['w@here'] as readonly { id: string }[]).map(({ id }) => id)
}

it('row 41: a pool on the event loop says at its start whose hard limits it cannot enforce', async () => {
  const cannot =
    'the pool async cannot end a function that blocks the event loop or ignores its signal: the hard time limit '
  const but = 'fails the task, and no more; a pool of threads or processes ends it'
  expect((await site()).warnings()).toEqual([`${cannot}of quick (3 s) ${but}`])

  const memory = (await site({ workerHardMemoryLimit: 1000 })).warnings()
  expect(memory).toContain(
    'workerHardMemoryLimit cannot be enforced in full: tasks share the memory of the worker; a pool of threads or ' +
      'processes limits it',
  )

  const { app, warnings } = await site({ taskTimeLimit: 10, workerPool: 'solo' })
  const [line] = warnings()
  expect(line).toMatch(/^the pool solo cannot .* of all tasks \(10 s\), quick \(3 s\) fails/)
  await app.control.timeLimit('deaf', { hard: 2 }, { reply: true, destination: 'w@here', ...PATIENCE })
  expect(warnings().slice(1)).toEqual([`${cannot.replace('async', 'solo')}of deaf ${but}`])
})

it('row 41: a limit that comes with the message is kept all the same; who ignores its signal then is named', async () => {
  const { app, worker, release, warnings } = await site()
  const result = await app.sendTask('deaf', [], {}, { timeLimit: 0.1 })
  await expect(result.get(PATIENCE)).rejects.toMatchObject({ excType: 'TimeLimitExceeded' })
  // Its slot is free.
  expect(await (await app.sendTask('quick')).get(PATIENCE)).toBe('done')
  expect(worker.counts()).toMatchObject({ active: 0, lingering: 1 })
  expect(await active(app)).toEqual([result.id])
  const text = `Task deaf[${result.id}] is past its hard time limit but goes on, as its function ignores its signal: `
  await eventually(() => warnings().includes(`${text}run it in a pool of threads or processes`))
  release()
  await eventually(() => worker.counts().lingering === 0)
  expect(await active(app)).toEqual([])
})

it('names a terminated task that ignores its signal, which keeps its slot', async () => {
  const { app, worker, release, warnings } = await site()
  const result = await app.sendTask('deaf')
  await eventually(() => worker.terminate(result.id))
  await expect(result.get(PATIENCE)).rejects.toMatchObject({ excType: 'TaskRevokedError' })
  expect(worker.counts()).toMatchObject({ active: 1, lingering: 1 })
  expect(await active(app)).toEqual([result.id])
  expect(worker.terminate(result.id)).toBe(false)
  await eventually(() =>
    warnings().some((line) => line.startsWith(`Task deaf[${result.id}] was terminated but`)),
  )
  release()
  expect(await (await app.sendTask('quick')).get(PATIENCE)).toBe('done')
  expect(worker.counts()).toMatchObject({ lingering: 0 })
})
