import { InvalidArgumentError, describeValue } from '../errors.js'
import { parseEnvelope, type Envelope } from '../serialization/envelope.js'
import { NO_EARLIER_DELIVERIES, readEarlierDeliveries } from '../serialization/earlier-deliveries.js'
import type { DeadLetter, DeadLetterFilter, DeadLetterLimits } from './broker.js'

export const DEFAULT_DEAD_LETTER_LIMITS: DeadLetterLimits = { maxCount: 10_000, expiresSeconds: 15_552_000 }

/** What is told of a dead letter beside its envelope. */
export type DeadLetterParts = Pick<
  DeadLetter,
  'id' | 'queue' | 'code' | 'message' | 'worker' | 'diedAt' | 'envelope'
>

/** A dead letter with what its envelope says, as far as that can be read. */
export function describeDeadLetter(parts: DeadLetterParts): DeadLetter {
  const envelope = tryToParse(parts.envelope)
  const earlier = envelope === undefined ? NO_EARLIER_DELIVERIES : readEarlierDeliveries(envelope)
  return {
    ...parts,
    task: textOf(envelope?.headers['task']),
    taskId: textOf(envelope?.headers['id']),
    deliveries: earlier.count + 1,
    history: earlier.history,
  }
}

function tryToParse(text: string): Envelope | undefined {
  try {
    return parseEnvelope(text)
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export function fits(letter: DeadLetter, { ids, queue, code, task, diedBefore }: DeadLetterFilter): boolean {
  return (
    (ids === undefined || ids.includes(letter.id)) &&
    (queue === undefined || letter.queue === queue) &&
    (code === undefined || letter.code === code) &&
    (task === undefined || letter.task === task) &&
    (diedBefore === undefined || letter.diedAt < diedBefore)
  )
}

export function isEmpty(filter: DeadLetterFilter): boolean {
  return Object.values(filter).every((value) => value === undefined)
}

/**
 * The filter that a selection stands for.
 *
 * @throws InvalidArgumentError where a filter names nothing: who means all has to say so.
 */
export function filterOf(selection: DeadLetterFilter | 'all'): DeadLetterFilter {
  if (selection === 'all') return {}
  if (typeof selection === 'object' && !isEmpty(selection)) return selection
  throw new InvalidArgumentError(
    `expected 'all' or a filter of ids, queue, code, task or diedBefore, got ${describeValue(selection)}`,
  )
}
