import { AssertionError } from 'node:assert'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Celery, chain } from '../../src/index.js'
import { recordSent } from '../../src/testing.js'

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
