import { describe, expect, it } from 'vitest'
import { testApp } from '../../support/test-app.js'

describe('options of a call', () => {
  it.each([
    [{ cuontdown: 5 }, 'cuontdown: unknown option of a call; did you mean countdown?'],
    [{ task_id: 'a' }, 'task_id: unknown option of a call; did you mean taskId?'],
    [{ queue: '' }, 'queue: expected a non-empty string, got string ""'],
    [{ queue: 1 }, 'queue: expected a non-empty string, got number 1'],
    [{ priority: 1.5 }, 'priority: expected an integer from 0 to 9, got number 1.5'],
    [{ priority: 'high' }, 'priority: expected an integer from 0 to 9, got string "high"'],
    [{ countdown: 'a' }, 'countdown: expected seconds, got string "a"'],
    [{ eta: '2030-01-01' }, 'eta: expected a valid Date, got string "2030-01-01"'],
    [{ eta: null }, 'eta: expected a valid Date, got null'],
    [{ expires: new Date(NaN) }, 'expires: expected seconds or a valid Date, got object (Date)'],
    [{ retries: -1 }, 'retries: expected an integer, 0 or more, got number -1'],
    [{ ignoreResult: 'yes' }, 'ignoreResult: expected true or false, got string "yes"'],
    [{ timeLimit: NaN }, 'timeLimit: expected seconds, 0 or more, got number NaN'],
    [{ softTimeLimit: -1 }, 'softTimeLimit: expected seconds, 0 or more, got number -1'],
    [{ headers: [] }, 'headers: expected an object, got array of 0'],
    [{ compression: 1 }, 'compression: expected a non-empty string, got number 1'],
    [{ link: 'add' }, 'link: expected a signature, or a list of them, got string "add"'],
    [{ stamps: 'a' }, 'stamps: expected an object, got string "a"'],
    [{ signal: 1 }, 'signal: expected an AbortSignal, got number 1'],
    [{ publishTimeoutMs: 0 }, 'publishTimeoutMs: expected milliseconds, more than 0, got number 0'],
    [
      { unique: 'daily' },
      'unique: expected true, false, or { key, ttl, until, onConflict }, got string "daily"',
    ],
    [{ unique: { key: 5 } }, 'unique.key: expected a non-empty string, or a function of the arguments'],
    [{ unique: { ttl: 0 } }, 'unique.ttl: expected seconds, more than 0, got number 0'],
    [{ unique: { onConflict: 'ignore' } }, 'got string "ignore"'],
  ])('%o are refused by name and value, and nothing is sent', async (options, fault) => {
    const app = testApp('memory://')
    const add = app.task('add', (x: number) => x)
    await expect(add.applyAsync({ args: [1], ...options } as never)).rejects.toThrow(fault)
    await expect(app.sendTask('add', [1], {}, options as never)).rejects.toThrow(fault)
    expect(await app.broker.queueLength('celery')).toBe(0)
  })

  it('that are undefined are as if they were not there', async () => {
    const app = testApp('memory://')
    await app.sendTask('add', [1], {}, { eta: undefined, queue: undefined, cuontdown: undefined } as never)
    expect(await app.broker.queueLength('celery')).toBe(1)
  })
})
