import { DescribedError, describeThrown, type ExceptionObject } from '../../../serialization/exceptions.js'
import { formatJson, parseExactJson } from '../../../serialization/json.js'
import { readSignatureData } from '../../../canvas/signature-data.js'
import { Retry } from '../../../app/outcomes.js'
import type { Outcome } from '../../outcome.js'
import type { ResultTuple } from '../../../serialization/result-tuple.js'

/**
 * An outcome on its way from a child to its worker. Values are JSON: what travels between threads or processes by
 * itself loses the classes of its objects, and what JSON cannot hold cannot be a result either.
 */
export type PortableOutcome =
  | { readonly kind: 'success'; readonly value: string; readonly children: readonly ResultTuple[] }
  | { readonly kind: 'failure'; readonly thrown: PortableError }
  | {
      readonly kind: 'retry'
      readonly when: Date | undefined
      readonly cause: PortableError | undefined
      readonly args: string | undefined
      readonly kwargs: string | undefined
    }
  | { readonly kind: 'replace'; readonly signature: string }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'reject'; readonly reason: string; readonly requeue: boolean }

export interface PortableError {
  readonly exception: ExceptionObject
  readonly traceback: string
  /** JavaScript's. */
  readonly message: string
  readonly stack: string | undefined
  /** Names of its class and of those that this extends. */
  readonly classes: readonly string[]
}

/** Never throws: a value that cannot travel makes a failure. */
export function toPortable(outcome: Outcome): PortableOutcome {
  try {
    return pack(outcome)
  } catch (error) {
    return { kind: 'failure', thrown: toPortableError(error) }
  }
}

function pack(outcome: Outcome): PortableOutcome {
  switch (outcome.kind) {
    case 'success':
      return { ...outcome, value: formatJson(outcome.value) }
    case 'failure':
    case 'lost':
      return { kind: 'failure', thrown: toPortableError(outcome.thrown) }
    case 'retry': {
      const { when, cause, args, kwargs } = outcome.retry
      return {
        kind: 'retry',
        when,
        cause: cause === undefined ? undefined : toPortableError(cause),
        args: args && formatJson(args, 'tagged', 'args'),
        kwargs: kwargs && formatJson(kwargs, 'tagged', 'kwargs'),
      }
    }
    case 'replace':
      return { kind: 'replace', signature: formatJson(outcome.signature) }
    default:
      return outcome
  }
}

export function fromPortable(portable: PortableOutcome): Outcome {
  switch (portable.kind) {
    case 'success':
      return { ...portable, value: parseExactJson(portable.value) }
    case 'failure':
      return { kind: 'failure', thrown: fromPortableError(portable.thrown) }
    case 'retry': {
      const { when, cause, args, kwargs } = portable
      const retry = new Retry(when, {
        cause: cause && fromPortableError(cause),
        args: args === undefined ? undefined : (parseExactJson(args) as unknown[]),
        kwargs: kwargs === undefined ? undefined : (parseExactJson(kwargs) as Record<string, unknown>),
      })
      return { kind: 'retry', retry }
    }
    case 'replace': {
      const signature = readSignatureData(parseExactJson(portable.signature), 'the replacement of a task')
      return { kind: 'replace', signature }
    }
    default:
      return portable
  }
}

export function toPortableError(thrown: unknown): PortableError {
  const error = thrown instanceof Error ? thrown : undefined
  return {
    ...describeThrown(thrown),
    message: error === undefined ? '' : String(error.message),
    stack: typeof error?.stack === 'string' ? error.stack : undefined,
    classes: error === undefined ? [] : classesOf(error),
  }
}

export function fromPortableError({ exception, traceback, message, stack, classes }: PortableError): Error {
  return new DescribedError(exception, traceback, { message, stack, classes })
}

function classesOf(error: Error): string[] {
  const names: string[] = []
  let prototype: unknown = Object.getPrototypeOf(error)
  while (prototype instanceof Object && prototype !== Object.prototype) {
    names.push(prototype.constructor.name)
    prototype = Object.getPrototypeOf(prototype)
  }
  return names
}
