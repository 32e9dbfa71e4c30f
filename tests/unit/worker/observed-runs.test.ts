import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  Celery,
  type AppOptions,
  type SignalName,
  type Signals,
  type TaskContext,
} from '../../../src/index.js'
import { recordingLog } from '../../support/recording-log.js'

/** On a busy machine, too. */
const soon = <T>(check: () => T): Promise<T> => vi.waitFor(check, { timeout: 4000 })

function memoryApp(options: AppOptions = {}): Celery {
  const app = new Celery('observed', { broker: 'memory://', backend: 'memory://', ...options })
  onTestFinished(() => app.close())
  return app
}

async function startWorker(app: Celery): Promise<void> {
  const worker = await app.startWorker({ concurrency: 2 })
  onTestFinished(() => worker.stop())
}

class Expected extends Error {}

const SIGNALS = [
  'beforeTaskPublish',
  'afterTaskPublish',
  'taskReceived',
  'taskPrerun',
  'taskPostrun',
  'taskSuccess',
  'taskFailure',
  'taskRetry',
  'taskRevoked',
  'taskUnknown',
] as const satisfies readonly SignalName[]

describe('hooks of a task', () => {
  const told: unknown[] = []
  const note =
    (name: string) =>
    (...values: unknown[]) => {
      const task = values.pop() as TaskContext
      told.push([
        name,
        ...values.map((value) => (value instanceof Error ? value.message : value)),
        task.request.retries,
      ])
    }
  const hooks = {
    beforeStart: note('beforeStart'),
    onSuccess: note('onSuccess'),
    onFailure: note('onFailure'),
    onRetry: note('onRetry'),
    afterReturn: note('afterReturn'),
  }

  it('are called around its runs, with what became of them', async () => {
    const app = memoryApp()
    const flaky = app.task('flaky', { ...hooks, bind: true, maxRetries: 1 }, (task, outcome: string) => {
      if (outcome === 'again') throw task.retry({ countdown: 0, cause: new Error('not yet') })
      if (outcome === 'fail') throw new Error('no')
      return outcome
    })
    await startWorker(app)
    const run = async (outcome: string): Promise<unknown[]> => {
      told.length = 0
      await (await flaky.delay(outcome)).get({ timeout: 5000, propagate: false })
      await soon(() => expect(told.at(-1)).not.toContain('RETRY'))
      await soon(() => expect((told.at(-1) as unknown[])[0]).toBe('afterReturn'))
      return told
    }
    expect(await run('well')).toEqual([
      ['beforeStart', 0],
      ['onSuccess', 'well', 0],
      ['afterReturn', 'SUCCESS', 'well', 0],
    ])
    expect(await run('fail')).toEqual([
      ['beforeStart', 0],
      ['onFailure', 'no', 0],
      ['afterReturn', 'FAILURE', 'no', 0],
    ])
    told.length = 0
    await (await flaky.delay('again')).get({ timeout: 5000, propagate: false })
    await soon(() => expect(told).toHaveLength(6))
    expect(told).toEqual([
      ['beforeStart', 0],
      ['onRetry', 'not yet', 0],
      ['afterReturn', 'RETRY', 'not yet', 0],
      ['beforeStart', 1],
      ['onFailure', 'not yet', 1],
      ['afterReturn', 'FAILURE', 'not yet', 1],
    ])
  })

  it('that throw or reject do no harm, and are logged with id and name of the task', async () => {
    const log = recordingLog()
    const app = memoryApp({ log })
    const add = app.task(
      'add',
      {
        beforeStart: () => Promise.reject(new Error('no start')),
        onSuccess: () => {
          throw new Error('no end')
        },
        afterReturn: () => Promise.reject(new Error('nothing after')),
      },
      (x: number, y: number) => x + y,
    )
    await startWorker(app)
    const result = await add.delay(1, 2)
    expect(await result.get({ timeout: 5000 })).toBe(3)
    const failures = () => log.lines.filter(({ level }) => level === 'error')
    await soon(() => expect(failures()).toHaveLength(3))
    expect(failures().map(({ message }) => message)).toEqual(
      ['beforeStart', 'onSuccess', 'afterReturn'].map(
        (hook) => `the hook ${hook} of add[${result.id}] failed`,
      ),
    )
    expect(failures()[0]?.fields).toMatchObject({ taskId: result.id, task: 'add' })
  })

  it('are waited for before the function is called', async () => {
    const app = memoryApp()
    let isReady = false
    const beforeStart = async (): Promise<void> => {
      await new Promise(setImmediate)
      isReady = true
    }
    const look = app.task('look', { beforeStart }, () => isReady)
    await startWorker(app)
    expect(await (await look.delay()).get({ timeout: 5000 })).toBe(true)
  })
})

describe('signals', () => {
  it('tell of a task from its sending to its end', async () => {
    const app = memoryApp()
    const told: string[] = []
    for (const name of SIGNALS) app.on(name, ({ task }) => void told.push(`${name} ${task}`))
    const ends: Signals['taskPostrun'][] = []
    app.on('taskPostrun', (signal) => void ends.push(signal))
    const add = app.task('add', (x: number, y: number) => x + y)
    await startWorker(app)
    const result = await add.delay(1, 2)
    await soon(() => expect(ends).toHaveLength(1))
    expect(told).toEqual([
      'beforeTaskPublish add',
      'afterTaskPublish add',
      'taskReceived add',
      'taskPrerun add',
      'taskSuccess add',
      'taskPostrun add',
    ])
    expect(ends[0]).toMatchObject({
      taskId: result.id,
      state: 'SUCCESS',
      value: 3,
      request: { args: [1, 2] },
    })
    // However short it was.
    expect(ends[0]?.runtimeMs).toBeGreaterThan(0)
  })

  it('tell of failures, retries, expired and unknown tasks', async () => {
    const app = memoryApp()
    const told: unknown[] = []
    app.on('taskFailure', ({ error }) => void told.push(['failure', (error as Error).message]))
    app.on('taskRetry', ({ reason, eta }) => void told.push(['retry', (reason as Error).message, eta]))
    app.on('taskRevoked', ({ task, isExpired }) => void told.push(['revoked', task, isExpired]))
    app.on('taskUnknown', ({ task }) => void told.push(['unknown', task]))
    const options = { autoretryFor: [Expected], maxRetries: 1, defaultRetryDelay: 0 }
    const fail = app.task('fail', options, () => {
      throw new Expected('no')
    })
    await startWorker(app)
    await (await fail.delay()).get({ timeout: 5000, propagate: false })
    await soon(() => expect(told).toHaveLength(2))
    await fail.applyAsync({ expires: -1 })
    await app.sendTask('nobody')
    await soon(() => expect(told).toHaveLength(4))
    expect(told).toEqual([
      ['retry', 'no', undefined],
      ['failure', 'no'],
      ['revoked', 'fail', true],
      ['unknown', 'nobody'],
    ])
  })

  it('let a listener give a message headers, which the task sees', async () => {
    const app = memoryApp()
    app.on('beforeTaskPublish', ({ headers }) => {
      headers['traceparent'] = '00-1-2-01'
    })
    const look = app.task('look', { bind: true }, ({ request }) => request.headers)
    await startWorker(app)
    expect(await (await look.applyAsync({ headers: { own: 1 } })).get({ timeout: 5000 })).toEqual({
      own: 1,
      traceparent: '00-1-2-01',
    })
  })

  it('do no harm where a listener fails, and end when asked to', async () => {
    const log = recordingLog()
    const app = memoryApp({ log })
    const end = app.on('taskPrerun', () => {
      throw new Error('no')
    })
    const add = app.task('add', (x: number, y: number) => x + y)
    await startWorker(app)
    const failed = await add.delay(1, 2)
    expect(await failed.get({ timeout: 5000 })).toBe(3)
    const failures = () =>
      log.lines.filter(({ message }) => message === 'a listener of the signal taskPrerun failed')
    expect(failures()).toMatchObject([{ fields: { taskId: failed.id, task: 'add' } }])
    end()
    await (await add.delay(1, 2)).get({ timeout: 5000 })
    expect(failures()).toHaveLength(1)
  })

  it('tell of a worker from its start to its stop', async () => {
    const app = memoryApp()
    const told: string[] = []
    for (const name of ['workerInit', 'workerReady', 'workerShuttingDown', 'workerShutdown'] as const)
      app.on(name, ({ hostname }) => void told.push(`${name} ${hostname}`))
    const worker = await app.startWorker({ hostname: 'w@here' })
    expect(told).toEqual(['workerInit w@here', 'workerReady w@here'])
    await worker.stop()
    expect(told.slice(2)).toEqual(['workerShuttingDown w@here', 'workerShutdown w@here'])
  })

  it('refuse a name that there is not', () => {
    expect(() => memoryApp().on('taskPreRuns' as 'taskPrerun', () => 1)).toThrow('did you mean taskPrerun?')
  })
})

describe('a failure', () => {
  it('that is expected is logged as information', async () => {
    const log = recordingLog()
    const app = memoryApp({ log })
    const fail = app.task('fail', { throws: [Expected] }, (isExpected: boolean) => {
      throw isExpected ? new Expected('yes') : new Error('no')
    })
    await startWorker(app)
    for (const isExpected of [true, false])
      await (await fail.delay(isExpected)).get({ timeout: 5000, propagate: false })
    const lines = log.lines.filter(({ message }) => message.includes('raised'))
    expect(lines.map(({ level }) => level)).toEqual(['info', 'error'])
    expect(lines[0]?.fields).not.toHaveProperty('err')
  })

  it('goes to the dead letters where its task is not acknowledged then, and is stored all the same', async () => {
    const app = memoryApp({ taskAcksOnFailureOrTimeout: false })
    const fail = app.task('fail', () => {
      throw new Error('no')
    })
    const acked = app.task('acked', { acksOnFailureOrTimeout: true }, () => {
      throw new Error('no')
    })
    await startWorker(app)
    const results = [await fail.delay(), await acked.delay()]
    for (const result of results) await result.get({ timeout: 5000, propagate: false })
    await soon(async () => expect(await app.deadLetters.count()).toBe(1))
    expect(await app.deadLetters.list()).toMatchObject([{ task: 'fail', code: 'TASK_FAILED' }])
    expect(await results[0]?.state()).toBe('FAILURE')
  })

  it('is stored where results are ignored, if its task says so', async () => {
    const app = memoryApp({ taskIgnoreResult: true })
    const failing = (name: string, storeErrorsEvenIfIgnored: boolean) =>
      app.task(name, { storeErrorsEvenIfIgnored }, () => {
        throw new Error('no')
      })
    const ended: string[] = []
    app.on('taskPostrun', ({ task }) => void ended.push(task))
    await startWorker(app)
    const kept = await failing('kept', true).delay()
    const dropped = await failing('dropped', false).delay()
    await soon(() => expect(ended).toHaveLength(2))
    await soon(async () => expect(await app.asyncResult(kept.id).state()).toBe('FAILURE'))
    expect(await app.asyncResult(dropped.id).state()).toBe('PENDING')
  })
})
