import { AssertionError } from 'node:assert'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Celery, chain, chord } from '../../src/index.js'
import { drain, recordSent } from '../../src/testing.js'

function memoryApp(): Celery {
  const app = new Celery('shop', { broker: 'memory://', backend: 'memory://' })
  onTestFinished(() => app.close())
  return app
}

describe('row 44: a recording of what is sent', () => {
  it('has the calls by their tasks, in their order', async () => {
    const app = memoryApp()
    const sent = recordSent(app)
    const mail = app.task('mail', { queue: 'slow', priority: 3 }, (to: string) => to)
    await mail.delay('a@example')
    await app.sendTask('other')
    await chain(mail.s('b@example'), app.signature('other')).applyAsync()
    expect(sent.all.map(({ task }) => task)).toEqual(['mail', 'other', 'mail'])
    expect(sent.of('mail').map(({ args }) => args[0])).toEqual(['a@example', 'b@example'])
    expect(sent.assertSent('mail', { args: ['b@example'], queue: 'slow', priority: 3 })).toBe(sent.all[2])
    sent.assertNotSent('mail', { args: ['c@example'] })
    sent.clear()
    expect(sent.all).toEqual([])
    sent.stop()
    await mail.delay('d@example')
    expect(sent.all).toEqual([])
  })

  it('says what was sent instead', async () => {
    const app = memoryApp()
    const sent = recordSent(app)
    expect(() => sent.assertSent('mail')).toThrow('of it there is none; sent: nothing')
    await app.sendTask('mail', ['a'])
    expect(() => sent.assertSent('other')).toThrow('of it there is none; sent: mail')
    expect(() => sent.assertSent('mail', { args: ['b'] })).toThrow(AssertionError)
    expect(() => sent.assertSent('mail', { args: ['b'] })).toThrow('none of 1 does')
    expect(() => sent.assertNotSent('mail')).toThrow('but 1 did go out')
  })
})

describe('row 44: a clock that a test holds', () => {
  it('brings ETAs and retries of a worker in memory', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const app = memoryApp()
    const runs: string[] = []
    const flaky = app.task('flaky', { bind: true }, (task, name: string) => {
      runs.push(`${name} ${task.request.retries}`)
      if (task.request.retries === 0) throw task.retry({ countdown: 120 })
    })
    const worker = await app.startWorker({ prefetchMultiplier: 1, heartbeatInterval: 0 })
    onTestFinished(() => worker.stop())
    await flaky.applyAsync({ args: ['later'], countdown: 60 })
    await vi.advanceTimersByTimeAsync(55_000)
    expect(runs).toEqual([])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(runs).toEqual(['later 0'])
    await vi.advanceTimersByTimeAsync(130_000)
    expect(runs).toEqual(['later 0', 'later 1'])
  })
})

describe('row 44: draining', () => {
  it('works what waits in all queues of the tasks, and what follows from it', async () => {
    const app = memoryApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const total = app.task('total', { queue: 'slow' }, async (numbers: number[]) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return numbers.reduce((sum, number) => sum + number, 0)
    })
    const results = [
      await add.delay(1, 2),
      await chain(add.s(1, 1), add.s(3)).applyAsync(),
      await chain(chord([add.s(1, 2), add.s(3, 4)], total.s()), add.s(5)).applyAsync(),
    ]
    const { started, succeeded, failed } = await drain(app)
    expect({ started, succeeded, failed }).toEqual({ started: 7, succeeded: 7, failed: 0 })
    expect(await Promise.all(results.map((result) => result.get({ timeout: 1 })))).toEqual([3, 5, 15])
    expect((await drain(app)).started).toBe(0)
  })

  it('leaves what waits for its time, until that comes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const app = memoryApp()
    const flaky = app.task('flaky', { bind: true }, (task) => {
      if (task.request.retries === 0) throw task.retry({ countdown: 120 })
    })
    await flaky.applyAsync({ countdown: 60 })
    const counts = async () => {
      const { started, retried, succeeded } = await drain(app)
      return { started, retried, succeeded }
    }
    expect(await counts()).toEqual({ started: 0, retried: 0, succeeded: 0 })
    vi.setSystemTime(Date.now() + 61_000)
    expect(await counts()).toEqual({ started: 1, retried: 1, succeeded: 0 })
    vi.setSystemTime(Date.now() + 121_000)
    expect(await counts()).toEqual({ started: 1, retried: 0, succeeded: 1 })
  })

  it('works the queues that it is told only, and refuses a broker elsewhere', async () => {
    const app = memoryApp()
    const echo = app.task('echo', (text: string) => text)
    await echo.applyAsync({ args: ['here'], queue: 'b' })
    expect((await drain(app)).started).toBe(0)
    expect((await drain(app, { queues: ['b'] })).succeeded).toBe(1)
    const elsewhere = new Celery('shop', { broker: 'redis://user:secret@cache.example' })
    await expect(drain(elsewhere)).rejects.toThrow('drain: expected an app on memory://, got one on redis:')
  })
})
