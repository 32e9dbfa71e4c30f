import { describe, expect, it } from 'vitest'
import { LovageError } from '../../../src/errors.js'
import { EncodeError } from '../../../src/serialization/errors.js'
import { describeThrown, readException, TaskError } from '../../../src/serialization/exceptions.js'
import { taskErrorFrom } from '../../../src/serialization/python-errors.js'
import { formatJson } from '../../../src/serialization/json.js'
import { parseResultMeta } from '../../../src/serialization/result-meta.js'
import { scenario } from './vectors.js'

class HttpError extends Error {}

class TimeLimitExceeded extends LovageError {
  readonly code = 'TIME_LIMIT_EXCEEDED'
  readonly excMessage = [30]
}

describe('describeThrown', () => {
  it.each([
    [new TypeError('bad'), { exc_type: 'TypeError', exc_message: ['bad'], exc_module: 'builtins' }],
    [new Error('boom'), { exc_type: 'Error', exc_message: ['boom'], exc_module: 'lovage.errors' }],
    [new RangeError(), { exc_type: 'RangeError', exc_message: [], exc_module: 'lovage.errors' }],
    [new HttpError('503'), { exc_type: 'HttpError', exc_message: ['503'], exc_module: 'lovage.errors' }],
    [new EncodeError('x'), { exc_type: 'EncodeError', exc_message: ['x'], exc_module: 'kombu.exceptions' }],
    [
      new TimeLimitExceeded('took too long'),
      { exc_type: 'TimeLimitExceeded', exc_message: [30], exc_module: 'billiard.exceptions' },
    ],
    [
      new TaskError({ excType: 'KeyError', excModule: 'builtins', excMessage: ['k', 2] }),
      { exc_type: 'KeyError', exc_message: ['k', 2], exc_module: 'builtins' },
    ],
  ])('Must 10.5: stores %s as an object', (thrown, expected) => {
    expect(describeThrown(thrown).exception).toEqual(expected)
  })

  it.each([
    ['NotRegistered', 'celery.exceptions'],
    ['TaskRevokedError', 'celery.exceptions'],
    ['MaxRetriesExceededError', 'celery.exceptions'],
    ['ChordError', 'celery.exceptions'],
    ['WorkerLostError', 'billiard.exceptions'],
    ['SoftTimeLimitExceeded', 'billiard.exceptions'],
  ])('Section 10.4: %s is known to Python from %s', (name, module) => {
    const error = new Error('x')
    error.name = name
    expect(describeThrown(error).exception.exc_module).toBe(module)
  })

  it('makes readable text of anything that is no Error', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    for (const [thrown, text] of [
      ['boom', "string was thrown: 'boom'"],
      [undefined, 'undefined was thrown'],
      [null, 'null was thrown'],
      [10n, 'bigint was thrown: 10n'],
      [Symbol('s'), 'symbol was thrown: Symbol(s)'],
      [cycle, 'Circular'],
    ] as const) {
      const { exception, traceback } = describeThrown(thrown)
      expect(exception).toMatchObject({ exc_type: 'NonErrorThrown', exc_module: 'lovage.errors' })
      expect(exception.exc_message).toEqual([expect.stringContaining(text)])
      expect(traceback).toMatch(/^Traceback \(most recent call last\):\nNonErrorThrown: .*\n$/s)
    }
  })

  it('never throws, whatever is thrown', () => {
    const hostile = new Error('x')
    Object.defineProperty(hostile, 'message', {
      get() {
        throw new Error('no')
      },
    })
    const proxy = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error('no')
        },
      },
    )
    const nameless = Object.assign(new Error('x'), { name: 5, stack: null })
    for (const thrown of [hostile, proxy, nameless, Object.create(null)]) {
      expect(() => formatJson(describeThrown(thrown))).not.toThrow()
    }
  })

  it('Section 10.4: turns arguments that the serializer refuses into text', () => {
    const error = new TaskError({
      excType: 'E',
      excMessage: ['ok', () => 1, NaN, Buffer.from([255]), { k: [1] }],
    })
    const { exception } = describeThrown(error)
    expect(exception.exc_message).toEqual([
      'ok',
      '<function anonymous>',
      'nan',
      Buffer.from([255]),
      { k: [1] },
    ])
  })

  it('Section 10.4: the traceback is in the form of Python, the failing call last', () => {
    function innermost(): never {
      throw new HttpError('503\n    at lunch (x:1:1)')
    }
    const lines = tracebackOf(innermost).split('\n')
    expect(lines[0]).toBe('Traceback (most recent call last):')
    const last = lines.findLastIndex((line) => line.startsWith('  File '))
    expect(lines[last]).toMatch(/^ {2}File ".*exceptions\.test\.ts", line \d+, in innermost$/)
    expect(lines[last - 1]).toMatch(/in tracebackOf$/)
    expect(lines.slice(last + 1)).toEqual(['HttpError: 503', '    at lunch (x:1:1)', ''])
  })

  it('Section 10.4: causes come first, as in Python', () => {
    const cause = new TypeError('first', { cause: 'why' })
    const { traceback } = describeThrown(new Error('last', { cause }))
    expect(traceback.match(/^(\w+: .*|The above .*)$/gm)).toEqual([
      "NonErrorThrown: string was thrown: 'why'",
      'The above exception was the direct cause of the following exception:',
      'TypeError: first',
      'The above exception was the direct cause of the following exception:',
      'Error: last',
    ])
    const cycle = new Error('a')
    cycle.cause = cycle
    expect(describeThrown(cycle).traceback.length).toBeLessThan(50_000)
  })

  it('keeps the traceback that a failed task came with', () => {
    const remote = 'Traceback (most recent call last):\n  File "t.py", line 1\nValueError: x\n'
    const { traceback } = describeThrown(
      new TaskError({ excType: 'ValueError', excMessage: ['x'], traceback: remote }),
    )
    expect(traceback.startsWith(`${remote}\nThe above exception was the direct cause`)).toBe(true)
    expect(traceback.endsWith('\nValueError: x\n')).toBe(true)
  })
})

describe('readException', () => {
  it.each([
    ['FAILURE, builtin exception', { exc_type: 'ValueError', exc_message: ['bad'], exc_module: 'builtins' }],
    [
      'FAILURE, exc_message a string',
      { exc_type: 'ValueError', exc_message: ['bad'], exc_module: 'builtins' },
    ],
    ['FAILURE, no exc_module', { exc_type: 'TypeError', exc_message: ['bad'], exc_module: '' }],
    [
      'FAILURE, result is a string',
      { exc_type: 'Exception', exc_message: ['just text'], exc_module: 'builtins' },
    ],
    ['FAILURE, result null', { exc_type: 'Exception', exc_message: [], exc_module: 'builtins' }],
    ['FAILURE, no exc_type', { exc_type: 'Exception', exc_message: ['bad'], exc_module: 'builtins' }],
  ])('Section 10.4: reads %s', (text, expected) => {
    const trial = scenario('celery-5.6.3', 'result_accepts').find((record) => record.text === text)
    const meta = parseResultMeta(trial?.raw ?? '')
    expect(readException(meta.result)).toEqual(expected)
    expect(taskErrorFrom(meta)).toMatchObject({
      code: 'TASK_FAILED',
      excType: expected.exc_type,
      taskId: meta.taskId,
    })
  })
})

describe('TaskError', () => {
  it.each([
    [{ excType: 'ValueError', excMessage: ['boom'] }, 'ValueError: boom'],
    [{ excType: 'RuntimeError' }, 'RuntimeError'],
    [{ excType: 'VectorError', excMessage: ['custom failure', 42] }, "VectorError: ('custom failure', 42)"],
    [{ excType: 'KeyError', excMessage: [5] }, 'KeyError: 5'],
  ])('reads like Python: %o', (fields, message) => {
    expect(new TaskError(fields).message).toBe(message)
  })
})

function tracebackOf(fail: () => never): string {
  try {
    return fail()
  } catch (error) {
    return describeThrown(error).traceback
  }
}
