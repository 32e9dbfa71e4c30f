import { describe, expect, it } from 'vitest'
import { Celery } from '../../../src/index.js'

describe('options of a task', () => {
  const app = new Celery('options')

  it.each([
    [{ maxRetrys: 3 }, 'task t: maxRetrys: unknown option; did you mean maxRetries?'],
    [{ timeLimit: '5' }, 'task t: timeLimit: expected seconds, 0 or more, got string "5"'],
    [{ throws: [5] }, 'task t: throws: expected a list of error classes, got array of 1'],
    [{ onSuccess: 'log' }, 'task t: onSuccess: expected a function, got string "log"'],
    [{ rateLimit: { limit: 0 } }, 'task t: rateLimit.limit: expected a number, more than 0, got number 0'],
    [{ rateLimit: { limit: 1, per: 'd' } }, 'task t: rateLimit.per: expected s, m or h, got string "d"'],
    [{ rateLimit: '10/d' }, 'task t: rateLimit: expected a rate such as "10/s" or "100/m"'],
    [{ unique: { until: 'never' } }, 'task t: unique.until: expected start or finish, got string "never"'],
    [
      { unique: { kye: 'a' } },
      'task t: unique: expected true, false, or { key, ttl, until, onConflict }, got kye',
    ],
  ])('%j are refused by name and value', (options, fault) => {
    expect(() => app.task('t', options as never, () => 1)).toThrow(fault)
  })
})

describe('annotations', () => {
  it('replace options of tasks by name, glob and function, an exact name last', () => {
    const app = new Celery('annotated', {
      taskAnnotations: [
        { 'mail.send': { maxRetries: 9 }, '*': { maxRetries: 1, priority: 5 }, 'mail.*': { timeLimit: 10 } },
        (name, options) =>
          name === 'mail.send' ? { softTimeLimit: (options.timeLimit ?? 0) - 1 } : undefined,
      ],
    })
    app.task('mail.send', { maxRetries: 0, acksLate: false }, () => 1)
    app.task('add', () => 1)
    const send = { maxRetries: 9, priority: 5, timeLimit: 10, softTimeLimit: 9, acksLate: false }
    expect(app.tasks.get('mail.send')?.options).toEqual(send)
    expect(app.tasks.get('add')?.options).toEqual({ maxRetries: 1, priority: 5 })
  })

  it('cannot say how a function is called', () => {
    const annotate = () => new Celery('annotated', { taskAnnotations: { '*': { bind: true } as never } })
    expect(annotate).toThrow('["*"]: bind: unknown option')
  })

  it('that come with configure apply to what the task says of itself', () => {
    const app = new Celery('annotated', { taskAnnotations: { '*': { priority: 5 } } })
    app.task('add', { maxRetries: 2 }, () => 1)
    app.configure({ taskAnnotations: { add: { queue: 'sums' } } })
    expect(app.tasks.get('add')?.options).toEqual({ maxRetries: 2, queue: 'sums' })
  })

  it('are refused by name and value', () => {
    const annotate = (taskAnnotations: unknown) => () =>
      new Celery('annotated', { taskAnnotations: taskAnnotations as never })
    expect(annotate({ '*': { rates: 1 } })).toThrow('taskAnnotations: ["*"]: rates: unknown option')
    expect(annotate([5])).toThrow(
      'taskAnnotations: expected an object of task names and options, or a function, got number 5',
    )
  })
})
