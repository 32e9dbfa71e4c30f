import { describe, expect, it, onTestFinished } from 'vitest'
import { Celery, chain, chord, group, type AppOptions } from '../../../src/index.js'

function eagerApp(options: AppOptions = {}): Celery {
  const app = new Celery('eager', { broker: 'redis://127.0.0.1:1', taskAlwaysEager: true, ...options })
  onTestFinished(() => app.close())
  return app
}

class Refused extends Error {}

describe('row 44: an eager app', () => {
  it('hands back a call when it has run, without connecting to anything', async () => {
    const app = eagerApp()
    const runs: number[] = []
    const add = app.task('add', { queue: 'math' }, (x: number, y: number) => {
      runs.push(x + y)
      return x + y
    })
    const result = await add.applyAsync({ args: [1, 2], countdown: 3600 })
    expect(runs).toEqual([3])
    expect(await result.state()).toBe('SUCCESS')
    expect(await result.get()).toBe(3)
  })

  it('keeps a failure in the result, unless it is to propagate', async () => {
    for (const taskEagerPropagates of [false, true]) {
      const app = eagerApp({ taskEagerPropagates })
      const fail = app.task('fail', () => {
        throw new Refused('no')
      })
      if (taskEagerPropagates) {
        await expect(fail.delay()).rejects.toBeInstanceOf(Refused)
      } else {
        const result = await fail.delay()
        expect(await result.state()).toBe('FAILURE')
        await expect(result.get()).rejects.toThrow('no')
      }
    }
  })

  it('fails a call of a task that there is not', async () => {
    await expect(eagerApp({ taskEagerPropagates: true }).sendTask('nobody')).rejects.toThrow('"nobody"')
    expect(await (await eagerApp().sendTask('nobody')).state()).toBe('FAILURE')
  })

  it('retries at once, and hands back the last outcome', async () => {
    const app = eagerApp()
    const runs: number[] = []
    const flaky = app.task('flaky', { bind: true, maxRetries: 5 }, (task) => {
      runs.push(task.request.retries)
      if (task.request.retries < 2) throw task.retry({ countdown: 3600 })
      return 'well'
    })
    expect(await (await flaky.delay()).get()).toBe('well')
    expect(runs).toEqual([0, 1, 2])
  })

  it('runs what follows, too, before it hands back', async () => {
    const app = eagerApp()
    const runs: string[] = []
    const add = app.task('add', (x: number, y: number) => {
      runs.push(`${x}+${y}`)
      return x + y
    })
    const sum = app.task('sum', (parts: number[]) => {
      runs.push(`sum ${parts.join()}`)
      return parts.reduce((total, part) => total + part, 0)
    })
    await add.applyAsync({ args: [1, 1], link: add.s(10) })
    expect(runs).toEqual(['1+1', '2+10'])
    expect(await (await chain(add.s(1, 2), add.s(3)).applyAsync()).get()).toBe(6)
    expect(await (await group(add.s(1, 1), add.s(2, 2)).applyAsync()).get()).toEqual([2, 4])
    runs.length = 0
    const body = await chord(group(add.s(1, 1), add.s(2, 2)), sum.s()).applyAsync()
    expect(runs.at(-1)).toMatch(/^sum/)
    expect(await body.get()).toBe(6)
  })

  it('runs what a task calls, which may wait for it', async () => {
    const app = eagerApp({ taskEagerPropagates: true })
    const half = app.task('half', (n: number): number => {
      if (n % 2 === 1) throw new Refused(`${n} is odd`)
      return n / 2
    })
    const quarter = app.task('quarter', { concurrencyLimit: 1 }, async (n: number): Promise<number> => {
      const halved = await (await half.delay(n)).get({ allowInTask: true })
      return (await half.delay(halved)).get({ allowInTask: true })
    })
    expect(await (await quarter.delay(12)).get()).toBe(3)
    await expect(quarter.delay(6)).rejects.toThrow('3 is odd')
    const countdown = app.task('countdown', { concurrencyLimit: 1 }, async (n: number): Promise<number> => {
      if (n === 0) return 0
      return 1 + (await (await app.sendTask<number>('countdown', [n - 1])).get({ allowInTask: true }))
    })
    expect(await (await countdown.delay(20)).get()).toBe(20)
  })

  it('takes tasks that are replaced, ignore results, expire, or are unique', async () => {
    const app = eagerApp()
    let runs = 0
    const count = app.task('count', { ignoreResult: true }, () => void runs++)
    await count.delay()
    expect(runs).toBe(1)
    const expired = await app.task('late', () => 1).applyAsync({ expires: -1 })
    expect(await expired.state()).toBe('REVOKED')
    const one = app.task('one', { unique: true }, () => 1)
    expect((await one.delay()).id).not.toBe((await one.delay()).id)
    const replaced = app.task('replaced', { bind: true }, (task) => {
      throw task.replace(one.s())
    })
    expect(await (await replaced.delay()).get()).toBe(1)
    await expect(app.sendTask('one', [Symbol('none')])).rejects.toThrow()
    expect(await (await one.delay()).get()).toBe(1)
  })
})
