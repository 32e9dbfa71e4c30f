import { describeValue } from '../errors.js'
import { InvalidTaskMessageError } from './errors.js'
import { isPlainRecord } from './plain-record.js'

/**
 * A call not yet made, as it travels in messages (wire protocol, section 12.1). Keys this version does not
 * know are kept when it is passed on, hence the index signature.
 */
export interface Signature {
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly options: Readonly<Record<string, unknown>>
  readonly subtask_type: string | null
  readonly immutable: boolean
  readonly [unknown: string]: unknown
}

/**
 * Read a signature as any Celery release or client writes it: whatever is missing or null gets its default,
 * unknown keys are kept.
 *
 * @throws {@link InvalidTaskMessageError} when it is no object with a task name, or its args are no list.
 */
export function readSignature(value: unknown): Signature {
  if (!isPlainRecord(value)) {
    throw new InvalidTaskMessageError(`a signature must be an object, got ${describeValue(value)}`)
  }
  const { task, subtask_type: subtaskType } = value
  if (typeof task !== 'string' || task === '') {
    throw new InvalidTaskMessageError(`a signature's task must be a task name, got ${describeValue(task)}`)
  }
  return {
    ...value,
    task,
    args: readMember(value, 'args', Array.isArray, 'a list') ?? [],
    kwargs: readMember(value, 'kwargs', isPlainRecord, 'an object') ?? {},
    options: readMember(value, 'options', isPlainRecord, 'an object') ?? {},
    subtask_type: typeof subtaskType === 'string' ? subtaskType : null,
    immutable: value['immutable'] === true,
  }
}

function readMember<T>(
  signature: Readonly<Record<string, unknown>>,
  name: string,
  isRight: (value: unknown) => value is T,
  expected: string,
): T | undefined {
  const value = signature[name]
  if (value === undefined || value === null) return undefined
  if (isRight(value)) return value
  const task = String(signature['task'])
  throw new InvalidTaskMessageError(
    `${name} of the signature of ${task} must be ${expected}, got ${describeValue(value)}`,
  )
}
