import { describe, expect, it } from 'vitest'
import { describeThrown, TaskError } from '../../../src/serialization/exceptions.js'
import { pythonErrors, taskErrorFrom } from '../../../src/serialization/python-errors.js'
import { formatResultMeta, parseResultMeta } from '../../../src/serialization/result-meta.js'
import { TimeoutError } from '../../../src/errors.js'

function thrownFor(exc_type: string, exc_message: unknown[], exc_module = 'builtins'): TaskError {
  const result = { exc_type, exc_message, exc_module }
  const text = formatResultMeta({ taskId: 't', status: 'FAILURE', result, traceback: 'Traceback…' })
  return taskErrorFrom(parseResultMeta(text))
}

describe('what a task of Python failed with', () => {
  it('is of the class of its exception, and of those that this extends', () => {
    const error = thrownFor('KeyError', ['id', 2])
    for (const name of ['KeyError', 'LookupError', 'Exception', 'BaseException'] as const) {
      expect(error).toBeInstanceOf(pythonErrors[name])
    }
    expect(error).toBeInstanceOf(TaskError)
    expect(error).not.toBeInstanceOf(pythonErrors.ValueError)
    expect(error).toMatchObject({
      name: 'KeyError',
      code: 'TASK_FAILED',
      excType: 'KeyError',
      excModule: 'builtins',
      excMessage: ['id', 2],
      traceback: 'Traceback…',
      taskId: 't',
    })
  })

  it('is a TaskError that tells the class where it is no built-in one', () => {
    for (const [type, module] of [
      ['OrderError', 'shop.errors'],
      ['ValueError', 'shop.errors'],
      ['constructor', 'builtins'],
      ['int', 'builtins'],
    ] as const) {
      const error = thrownFor(type, [1], module)
      expect(error).not.toBeInstanceOf(pythonErrors.BaseException)
      expect(error).toMatchObject({ name: 'TaskError', excType: type, excModule: module, excMessage: [1] })
    }
  })
})

describe('what a task here fails with', () => {
  const storedFor = (error: unknown): unknown => describeThrown(error).exception

  it('is Python’s exception where it is one of these', () => {
    expect(storedFor(new pythonErrors.FileNotFoundError(2, 'No such file'))).toEqual({
      exc_type: 'FileNotFoundError',
      exc_message: [2, 'No such file'],
      exc_module: 'builtins',
    })
    class NoMoney extends pythonErrors.ValueError {}
    expect(storedFor(new NoMoney('5'))).toMatchObject({ exc_type: 'NoMoney', exc_module: 'lovage.errors' })
  })

  it('is what it was when it goes through here', () => {
    const error = thrownFor('OrderError', ['o-1', 'sold out'], 'shop.errors')
    expect(storedFor(error)).toEqual({
      exc_type: 'OrderError',
      exc_message: ['o-1', 'sold out'],
      exc_module: 'shop.errors',
    })
  })

  it('is Python’s exception where it has its name, and means the same', () => {
    class ValueError extends Error {}
    class SystemExit extends Error {}
    for (const [error, module] of [
      [new ValueError('x'), 'builtins'],
      [new TypeError('x'), 'builtins'],
      [new TimeoutError('x'), 'builtins'],
      [new DOMException('x', 'TimeoutError'), 'builtins'],
      [new SyntaxError('x'), 'lovage.errors'],
      [new ReferenceError('x'), 'lovage.errors'],
      [new RangeError('x'), 'lovage.errors'],
      [new SystemExit('x'), 'lovage.errors'],
    ] as const) {
      expect(storedFor(error)).toMatchObject({ exc_message: ['x'], exc_module: module })
    }
  })
})
