import { describe, expect, it } from 'vitest'
import { Celery, InvalidArgumentError, type TaskOptions } from '../../../src/index.js'

const RATE = 'a rate such as "10/s" or "100/m", a number a second, or { limit, per, key }'

/** A value that each option must not have. */
const WRONG: Readonly<Record<keyof TaskOptions, readonly [value: unknown, fault: string]>> = {
  queue: ['', 'a non-empty string, got string ""'],
  priority: [10, 'an integer from 0 to 9, got number 10'],
  ignoreResult: ['yes', 'true or false, got string "yes"'],
  storeErrorsEvenIfIgnored: [1, 'true or false, got number 1'],
  resultExpires: [-1, 'seconds, 0 or more, got number -1'],
  acksLate: ['no', 'true or false, got string "no"'],
  acksOnFailureOrTimeout: [0, 'true or false, got number 0'],
  rejectOnWorkerLost: [null, 'true or false, got null'],
  trackStarted: ['true', 'true or false, got string "true"'],
  maxRetries: [1.5, 'an integer, 0 or more, or null, got number 1.5'],
  defaultRetryDelay: ['10s', 'seconds, 0 or more, got string "10s"'],
  autoretryFor: [Error, 'a list of error classes, got function'],
  dontAutoretryFor: [['Error'], 'a list of error classes, got array of 1'],
  throws: [[5], 'a list of error classes, got array of 1'],
  retryBackoff: [-1, 'true, false, or seconds, got number -1'],
  retryBackoffMax: [null, 'seconds, 0 or more, got null'],
  retryJitter: [0.5, 'true or false, got number 0.5'],
  softTimeLimit: [-1, 'seconds, 0 or more, got number -1'],
  timeLimit: ['5', 'seconds, 0 or more, got string "5"'],
  rateLimit: ['10/d', `${RATE}, got string "10/d"`],
  concurrencyLimit: [0, 'an integer, 1 or more, got number 0'],
  concurrencyKey: ['', 'a non-empty string, or a function of the arguments, got string ""'],
  unique: ['daily', 'true, false, or { key, ttl, until, onConflict }, got string "daily"'],
  expires: [-5, 'seconds, 0 or more, got number -5'],
  serializer: [5, 'a non-empty string, got number 5'],
  compression: ['', 'a non-empty string, got string ""'],
  sendEvents: ['off', 'true or false, got string "off"'],
  description: [5, 'a string, got number 5'],
  beforeStart: [true, 'a function, got boolean true'],
  onSuccess: ['log', 'a function, got string "log"'],
  onFailure: [{}, 'a function, got object (Object)'],
  onRetry: [5, 'a function, got number 5'],
  afterReturn: [null, 'a function, got null'],
}

describe('options of a task', () => {
  it.each<readonly [options: object, fault: string]>([
    ...Object.entries(WRONG).map(
      ([name, [value, fault]]) => [{ [name]: value }, `task t: ${name}: expected ${fault}`] as const,
    ),
    [{ maxRetrys: 3 }, 'task t: maxRetrys: unknown option; did you mean maxRetries?'],
    [{ argName: ['x'] }, 'task t: argName: unknown option; did you mean argNames?'],
    [{ priority: -1 }, 'task t: priority: expected an integer from 0 to 9, got number -1'],
    [{ priority: 0.5 }, 'task t: priority: expected an integer from 0 to 9, got number 0.5'],
    [{ maxRetries: -1 }, 'task t: maxRetries: expected an integer, 0 or more, or null, got number -1'],
    [{ concurrencyLimit: 1.5 }, 'task t: concurrencyLimit: expected an integer, 1 or more, got number 1.5'],
    [{ rateLimit: [] }, `task t: rateLimit: expected ${RATE}, got array of 0`],
    [{ rateLimit: true }, `task t: rateLimit: expected ${RATE}, got boolean true`],
    [{ rateLimit: { limit: 0 } }, 'task t: rateLimit.limit: expected a number, more than 0, got number 0'],
    [
      { rateLimit: { limit: '5' } },
      'task t: rateLimit.limit: expected a number, more than 0, got string "5"',
    ],
    [{ rateLimit: { limit: 1, per: 'd' } }, 'task t: rateLimit.per: expected s, m or h, got string "d"'],
    [{ rateLimit: { limit: 1, by: 'x' } }, `task t: rateLimit: expected ${RATE}, got by`],
    [
      { rateLimit: { limit: 1, key: 5 } },
      'task t: rateLimit.key: expected a non-empty string, or a function of the arguments, got number 5',
    ],
    [{ unique: { until: 'never' } }, 'task t: unique.until: expected start or finish, got string "never"'],
    [
      { unique: { kye: 'a' } },
      'task t: unique: expected true, false, or { key, ttl, until, onConflict }, got kye',
    ],
    [
      { timeLimit: 10, softTimeLimit: 20 },
      'task t: softTimeLimit: expected at most the timeLimit, 10 s, got number 20',
    ],
    [
      { acksLate: 1, expires: '5' },
      'task t: acksLate: expected true or false, got number 1\ntask t: expires: expected seconds, 0 or more, got string "5"',
    ],
  ])('%j are refused by name and value', (options, fault) => {
    expect(() => new Celery('options').task('t', options as never, () => 1)).toThrow(
      new InvalidArgumentError(fault),
    )
  })

  it.each([[null], [[]]])('are an object, and not %j', (options) => {
    expect(() => new Celery('options').task('t', options as never, () => 1)).toThrow(
      'task t: expected an object of options, got ',
    )
  })

  it.each<TaskOptions>([
    { maxRetries: null, resultExpires: null, retryBackoff: 5, throws: [TypeError], expires: 0 },
    { retryBackoff: true, unique: true, rateLimit: '10/m', concurrencyKey: () => 'a', concurrencyLimit: 1 },
    { rateLimit: { limit: 0.5, per: 'h', key: 'all' }, concurrencyKey: 'all', concurrencyLimit: 1 },
    { timeLimit: 10, softTimeLimit: 10, rateLimit: null },
    // No limit is not a limit of 0 seconds.
    { timeLimit: 0, softTimeLimit: 10 },
    { timeLimit: 10, softTimeLimit: 0 },
  ])('%o are taken', (options) => {
    const app = new Celery('options')
    app.task('good', { ...options, bind: true, argNames: ['x'], kwargs: true }, (_task, x: number) => x)
    expect(app.tasks.get('good')?.options).toMatchObject(options)
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

  it('cannot ask a task to end after the limit that ends it', () => {
    const annotate = () =>
      new Celery('annotated', { taskAnnotations: { t: { timeLimit: 1, softTimeLimit: 2 } } })
    expect(annotate).toThrow('["t"]: softTimeLimit: expected at most the timeLimit, 1 s, got number 2')
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
