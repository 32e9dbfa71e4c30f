import { describe, expect, it } from 'vitest'
import { signature } from '../../../src/index.js'
import { testApp } from '../../support/test-app.js'
import type { SendOptions } from '../../../src/app/send-task.js'

/** A value that each option must not have. */
const WRONG: Readonly<Record<keyof SendOptions, readonly [value: unknown, fault: string]>> = {
  taskId: ['', 'a non-empty string, got string ""'],
  queue: [1, 'a non-empty string, got number 1'],
  priority: [1.5, 'an integer from 0 to 9, got number 1.5'],
  countdown: ['a', 'seconds, got string "a"'],
  eta: ['2030-01-01', 'a valid Date, got string "2030-01-01"'],
  expires: [NaN, 'seconds or a valid Date, got number NaN'],
  retries: [-1, 'an integer, 0 or more, got number -1'],
  shadow: [5, 'a non-empty string, got number 5'],
  ignoreResult: ['yes', 'true or false, got string "yes"'],
  timeLimit: [NaN, 'seconds, 0 or more, got number NaN'],
  softTimeLimit: [-1, 'seconds, 0 or more, got number -1'],
  headers: [[], 'an object, got array of 0'],
  serializer: [{}, 'a non-empty string, got object (Object)'],
  compression: [1, 'a non-empty string, got number 1'],
  link: ['add', 'a signature, or a list of them, got string "add"'],
  linkError: [['log'], 'a signature, or a list of them, got array of 1'],
  chain: [{}, 'a list of signatures, got object (Object)'],
  chord: [[], 'a signature, got array of 0'],
  rootId: [1, 'a non-empty string, got number 1'],
  parentId: ['', 'a non-empty string, got string ""'],
  groupId: [true, 'a non-empty string, got boolean true'],
  groupIndex: [0.5, 'an integer, 0 or more, got number 0.5'],
  replyTo: [null, 'a non-empty string, got null'],
  unique: ['daily', 'true, false, or { key, ttl, until, onConflict }, got string "daily"'],
  stamps: ['a', 'an object, got string "a"'],
  stampedHeaders: ['tenant', 'a list of strings, got string "tenant"'],
  replacedTaskNesting: ['1', 'an integer, 0 or more, got string "1"'],
  properties: [null, 'an object, got null'],
  signal: [1, 'an AbortSignal, got number 1'],
  publishTimeoutMs: [0, 'milliseconds, more than 0, got number 0'],
}

describe('options of a call', () => {
  it.each<readonly [options: object, fault: string]>([
    ...Object.entries(WRONG).map(
      ([name, [value, fault]]) => [{ [name]: value }, `${name}: expected ${fault}`] as const,
    ),
    [{ cuontdown: 5 }, 'cuontdown: unknown option of a call; did you mean countdown?'],
    [{ task_id: 'a' }, 'task_id: unknown option of a call; did you mean taskId?'],
    [{ queue: '' }, 'queue: expected a non-empty string, got string ""'],
    [{ priority: 'high' }, 'priority: expected an integer from 0 to 9, got string "high"'],
    [{ countdown: NaN }, 'countdown: expected seconds, got number NaN'],
    [{ eta: null }, 'eta: expected a valid Date, got null'],
    [{ eta: new Date(NaN) }, 'eta: expected a valid Date, got object (Date)'],
    [{ retries: 0.5 }, 'retries: expected an integer, 0 or more, got number 0.5'],
    [{ timeLimit: Infinity }, 'timeLimit: expected seconds, 0 or more, got number Infinity'],
    [
      { timeLimit: 10, softTimeLimit: 20 },
      'softTimeLimit: expected at most the timeLimit, 10 s, got number 20',
    ],
    [{ headers: new Date() }, 'headers: expected an object, got object (Date)'],
    [{ link: null }, 'link: expected a signature, or a list of them, got null'],
    [{ chain: ['add'] }, 'chain: expected a list of signatures, got array of 1'],
    [{ stampedHeaders: [1] }, 'stampedHeaders: expected a list of strings, got array of 1'],
    [{ publishTimeoutMs: '5' }, 'publishTimeoutMs: expected milliseconds, more than 0, got string "5"'],
    [{ unique: null }, 'unique: expected true, false, or { key, ttl, until, onConflict }, got null'],
    [{ unique: [] }, 'unique: expected true, false, or { key, ttl, until, onConflict }, got array of 0'],
    [{ unique: { kye: 'a' } }, 'unique: expected true, false, or { key, ttl, until, onConflict }, got kye'],
    [
      { unique: { key: '' } },
      'unique.key: expected a non-empty string, or a function of the arguments, got string ""',
    ],
    [{ unique: { until: 'never' } }, 'unique.until: expected start or finish, got string "never"'],
    [{ expires: new Date(NaN) }, 'expires: expected seconds or a valid Date, got object (Date)'],
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

  it.each([
    { countdown: -1, retries: 0, groupIndex: 0, priority: 12 },
    { expires: new Date(2e12), eta: new Date(2e12) },
    { expires: 60, timeLimit: 20, softTimeLimit: 20 },
    // No limit is not a limit of 0 seconds.
    { timeLimit: 0, softTimeLimit: 20 },
    { timeLimit: 10, softTimeLimit: 0 },
    { link: [signature('a'), signature('b')], linkError: signature('a'), chain: [signature('a')] },
    { unique: false, headers: { a: 1 }, stamps: { a: 1 }, stampedHeaders: ['a'] },
    { unique: { key: () => 'a', ttl: 0.5, until: 'start', onConflict: 'replace' } },
  ] as const)('%o are taken', async (options) => {
    const app = testApp('memory://')
    await app.sendTask('add', [1], {}, options)
    expect(await app.broker.queueLength('celery')).toBe(1)
  })

  it('that are undefined are as if they were not there', async () => {
    const app = testApp('memory://')
    await app.sendTask('add', [1], {}, { eta: undefined, queue: undefined, cuontdown: undefined } as never)
    expect(await app.broker.queueLength('celery')).toBe(1)
  })
})
