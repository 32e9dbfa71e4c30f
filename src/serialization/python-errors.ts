import { readException, TaskError } from './exceptions.js'
import { PYTHON_EXCEPTIONS, type PythonExceptionName } from './python-exceptions.js'
import type { ResultMeta } from './result-meta.js'

/** A class of Python's, as it is caught and thrown here. */
export interface PythonErrorClass {
  readonly prototype: TaskError
  /** @param args - The exception's arguments, as in Python: `new pythonErrors.KeyError('id')`. */
  new (...args: unknown[]): TaskError
}

/**
 * Python's built-in exceptions, in Python's hierarchy: what a task failed with is an instance of its class and of those
 * that this one extends. Thrown by a task here, they are that exception in Python.
 */
export const pythonErrors = makeClasses()

/** The error that who waits for a failed task gets: one of {@link pythonErrors}, or a TaskError that tells the class. */
export function taskErrorFrom({ result, traceback, taskId }: ResultMeta): TaskError {
  const { exc_type: excType, exc_module: excModule, exc_message: excMessage } = readException(result)
  if (excModule === 'builtins' && Object.hasOwn(pythonErrors, excType)) {
    const error = new pythonErrors[excType as PythonExceptionName](...excMessage)
    return Object.assign(error, { traceback, taskId })
  }
  return new TaskError({ excType, excModule, excMessage, traceback, taskId })
}

function makeClasses(): { readonly [Name in PythonExceptionName]: PythonErrorClass } {
  const classes: Partial<Record<PythonExceptionName, PythonErrorClass>> = {}
  for (const [name, base] of Object.entries(PYTHON_EXCEPTIONS)) {
    classes[name as PythonExceptionName] = makeClass(name, base === undefined ? undefined : classes[base])
  }
  return classes as { readonly [Name in PythonExceptionName]: PythonErrorClass }
}

function makeClass(name: string, base: PythonErrorClass | undefined): PythonErrorClass {
  const made =
    base === undefined
      ? class extends TaskError {
          constructor(...args: unknown[]) {
            const excType = new.target.name
            // A class of the application's own may extend one of these.
            const excModule = Object.hasOwn(PYTHON_EXCEPTIONS, excType) ? 'builtins' : undefined
            super({ excType, excModule, excMessage: args })
          }
        }
      : class extends base {}
  Object.defineProperty(made, 'name', { value: name })
  return made
}
