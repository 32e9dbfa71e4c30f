import { inspect } from 'node:util'
import { LovageError } from '../errors.js'
import { EncodeError } from './errors.js'
import { framesOf } from './frames.js'
import { formatJson } from './json.js'
import { isPlainRecord } from './plain-record.js'
import { isPythonsByName } from './python-exceptions.js'
import { pythonRepr, pythonReprArgs } from './python-repr.js'

/** A failure as it is stored (wire protocol, section 10.4). */
export interface ExceptionObject {
  /** Class name. */
  exc_type: string
  /** The constructor's arguments. */
  exc_message: unknown[]
  exc_module: string
}

export interface TaskErrorFields {
  /** Class name of the exception in Python: `ValueError`. */
  readonly excType: string
  /** @default 'lovage.errors', from which Python makes a class of that name */
  readonly excModule?: string | undefined
  /** The constructor's arguments. @default none */
  readonly excMessage?: readonly unknown[] | undefined
  readonly traceback?: string | null | undefined
  readonly taskId?: string | undefined
}

/** A module that no Python module is named after: Python clients then make a class of the given name. */
const OWN_MODULE = 'lovage.errors'

/** Errors of Celery's that every program of its knows, by the modules it knows them from. */
const CELERY_MODULES: ReadonlyMap<string, string> = new Map([
  ['NotRegistered', 'celery.exceptions'],
  ['TaskRevokedError', 'celery.exceptions'],
  ['MaxRetriesExceededError', 'celery.exceptions'],
  ['ChordError', 'celery.exceptions'],
  ['SoftTimeLimitExceeded', 'billiard.exceptions'],
  ['TimeLimitExceeded', 'billiard.exceptions'],
  ['WorkerLostError', 'billiard.exceptions'],
  ['EncodeError', 'kombu.exceptions'],
])

const MAX_CAUSES = 10

const CAUSE_LINE = '\nThe above exception was the direct cause of the following exception:\n\n'

/**
 * Thrown when a task has failed: what a waiting caller gets. A task may throw one itself, to choose the exception
 * that a Python caller will see.
 */
export class TaskError extends LovageError {
  readonly code = 'TASK_FAILED'
  /** Class name of the exception: `ValueError`. */
  readonly excType: string
  readonly excModule: string
  /** The constructor's arguments. */
  readonly excMessage: readonly unknown[]
  /** Where it was raised, as text; null when nobody recorded it. */
  readonly traceback: string | null
  readonly taskId: string | undefined

  constructor(fields: TaskErrorFields) {
    const excMessage = fields.excMessage ?? []
    super(exceptionLine(fields.excType, excMessage))
    this.excType = fields.excType
    this.excModule = fields.excModule ?? OWN_MODULE
    this.excMessage = excMessage
    this.traceback = fields.traceback ?? null
    this.taskId = fields.taskId
  }
}

/** What was thrown in another thread or process, and described there. */
export class DescribedError extends LovageError {
  readonly code = 'THROWN_ELSEWHERE'
  readonly exception: ExceptionObject
  readonly traceback: string
  /** Names of its class and of those that this extends. */
  readonly classes: readonly string[]

  constructor(
    exception: ExceptionObject,
    traceback: string,
    shown: {
      readonly message: string
      readonly stack: string | undefined
      readonly classes: readonly string[]
    },
  ) {
    super(shown.message)
    this.name = exception.exc_type
    this.exception = exception
    this.traceback = traceback
    this.classes = shown.classes
    if (shown.stack !== undefined) this.stack = shown.stack
  }
}

/**
 * Anything thrown, as it is stored. Never throws itself.
 *
 * An Error goes by its name, which may be one of Python's or Celery's, with its message as the only argument; a {@link LovageError} that has `excMessage`
 * chooses its arguments, and a {@link TaskError} everything. What is no Error becomes `NonErrorThrown`.
 */
export function describeThrown(thrown: unknown): { exception: ExceptionObject; traceback: string } {
  try {
    if (thrown instanceof DescribedError) return { exception: thrown.exception, traceback: thrown.traceback }
    const exception = exceptionOf(thrown)
    return { exception, traceback: tracebackOf(thrown, exception) }
  } catch {
    const exception = nonError('a value that cannot be shown was thrown')
    return { exception, traceback: `${TRACEBACK_HEAD}${lineOf(exception)}\n` }
  }
}

/**
 * A stored exception in whatever form: Celery's object with fields missing, a text, null (wire protocol,
 * section 10.4). Never throws.
 */
export function readException(value: unknown): ExceptionObject {
  if (!isPlainRecord(value)) {
    return { exc_type: 'Exception', exc_message: argumentsOf(value), exc_module: 'builtins' }
  }
  const { exc_type: type, exc_module: module } = value
  if (typeof type !== 'string') {
    const args = 'exc_message' in value ? argumentsOf(value['exc_message']) : [value]
    return { exc_type: 'Exception', exc_message: args, exc_module: 'builtins' }
  }
  return {
    exc_type: type,
    exc_message: argumentsOf(value['exc_message']),
    exc_module: typeof module === 'string' ? module : '',
  }
}

function argumentsOf(value: unknown): unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? (value as unknown[]) : [value]
}

function exceptionOf(thrown: unknown): ExceptionObject {
  if (!(thrown instanceof Error)) return nonError(describeNonError(thrown))
  const type = thrown instanceof TaskError ? thrown.excType : errorName(thrown)
  const module = thrown instanceof TaskError ? thrown.excModule : moduleOf(type)
  return { exc_type: type, exc_message: errorArguments(thrown).map(storable), exc_module: module }
}

function moduleOf(type: string): string {
  return CELERY_MODULES.get(type) ?? (isPythonsByName(type) ? 'builtins' : OWN_MODULE)
}

/** Classes that do not set `name` inherit `Error`'s. */
function errorName(error: Error): string {
  if (typeof error.name === 'string' && error.name !== '' && error.name !== 'Error') return error.name
  return error.constructor.name === '' ? 'Error' : error.constructor.name
}

function errorArguments(error: Error): readonly unknown[] {
  if (error instanceof LovageError && 'excMessage' in error && Array.isArray(error.excMessage)) {
    return error.excMessage as unknown[]
  }
  return error.message === '' ? [] : [String(error.message)]
}

/** The value, or its text where JSON cannot hold it. */
function storable(value: unknown): unknown {
  try {
    formatJson(value)
    return value
  } catch (error) {
    if (error instanceof EncodeError) return pythonRepr(value)
    throw error
  }
}

function nonError(message: string): ExceptionObject {
  return { exc_type: 'NonErrorThrown', exc_message: [message], exc_module: OWN_MODULE }
}

function describeNonError(thrown: unknown): string {
  const kind = thrown === null ? 'null' : typeof thrown
  const text = inspect(thrown, { depth: 3, breakLength: Infinity, maxStringLength: 1000, maxArrayLength: 20 })
  return kind === text ? `${kind} was thrown` : `${kind} was thrown: ${text}`
}

const TRACEBACK_HEAD = 'Traceback (most recent call last):\n'

/** Python's form of a traceback, because that is what monitors show: causes first, the newest call last. */
function tracebackOf(thrown: unknown, exception: ExceptionObject, depth = 0): string {
  if (!(thrown instanceof Error)) return `${TRACEBACK_HEAD}${lineOf(exception)}\n`
  const own = `${TRACEBACK_HEAD}${formatFrames(thrown)}${lineOf(exception)}\n`
  const remote = thrown instanceof TaskError && thrown.traceback !== null ? thrown.traceback.trimEnd() : ''
  if (remote !== '') return `${remote}\n${CAUSE_LINE}${own}`
  const { cause } = thrown
  if (cause === undefined || depth >= MAX_CAUSES) return own
  return `${tracebackOf(cause, exceptionOf(cause), depth + 1)}${CAUSE_LINE}${own}`
}

function formatFrames(error: Error): string {
  return framesOf(error)
    .map((frame) => `  ${frame}\n`)
    .join('')
}

function lineOf(exception: ExceptionObject): string {
  const { exc_type: type, exc_module: module } = exception
  const isLocal = module === 'builtins' || module === OWN_MODULE || module === ''
  return exceptionLine(isLocal ? type : `${module}.${type}`, exception.exc_message)
}

/** `ValueError: boom`; as Python shows it, several arguments are a tuple. */
function exceptionLine(type: string, args: readonly unknown[]): string {
  if (args.length === 0) return type
  const [first] = args
  if (args.length > 1) return `${type}: ${pythonReprArgs(args)}`
  return `${type}: ${typeof first === 'string' ? first : pythonRepr(first)}`
}
