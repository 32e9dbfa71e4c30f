import { describeValue } from '../errors.js'
import { InvalidInstantError, InvalidTaskMessageError } from './errors.js'
import { parseInstant } from './time.js'

/** @param taskId - Undefined where it is not known. */
export function invalidField(
  name: string,
  expected: string,
  value: unknown,
  taskId: string | undefined,
  cause?: unknown,
): InvalidTaskMessageError {
  const task = taskId === undefined ? 'the task message' : `task ${taskId}`
  const message = `${name} of ${task} must be ${expected}, got ${describeValue(value)}`
  return new InvalidTaskMessageError(message, { taskId, cause })
}

/** @returns `value`, which is right. @throws InvalidTaskMessageError where it is not. */
export function checked<T>(
  value: unknown,
  isRight: (value: unknown) => value is T,
  name: string,
  expected: string,
  taskId: string,
): T {
  if (isRight(value)) return value
  throw invalidField(name, expected, value, taskId)
}

/** Reads fields of a task message that may be missing or null, but not of another type. */
export class FieldReader {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #taskId: string

  constructor(fields: Readonly<Record<string, unknown>>, taskId: string) {
    this.#fields = fields
    this.#taskId = taskId
  }

  taskName(): string {
    const name = this.text('task')
    if (name === undefined || name === '') throw this.#invalid('task', 'a task name')
    return name
  }

  text(name: string): string | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string') return value
    throw this.#invalid(name, 'a string or null')
  }

  integer(name: string): number | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value
    throw this.#invalid(name, 'an integer or null')
  }

  /** A Date is what YAML's own timestamps and kombu's tagged values decode to. */
  instant(name: string): Date | undefined {
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (value instanceof Date) return value
    if (typeof value !== 'string') throw this.#invalid(name, 'an ISO 8601 time or null')
    try {
      return parseInstant(value)
    } catch (error) {
      if (!(error instanceof InvalidInstantError)) throw error
      throw this.#invalid(name, 'an ISO 8601 time or null', error)
    }
  }

  /** @returns Hard limit, soft limit: in this order on the wire. */
  timeLimits(): readonly [number | undefined, number | undefined] {
    const value = this.#fields['timelimit']
    if (value === undefined || value === null) return [undefined, undefined]
    if (!Array.isArray(value) || value.length !== 2 || !value.every(isLimit)) {
      throw this.#invalid('timelimit', 'a list of two numbers or nulls, the hard limit first')
    }
    const [hard, soft] = value as readonly (number | null)[]
    return [hard ?? undefined, soft ?? undefined]
  }

  #invalid(name: string, expected: string, cause?: unknown): InvalidTaskMessageError {
    return invalidField(name, expected, this.#fields[name], this.#taskId, cause)
  }
}

function isLimit(value: unknown): value is number | null {
  return value === null || typeof value === 'number'
}
