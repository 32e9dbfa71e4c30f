import { describeValue, InvalidArgumentError } from '../errors.js'
import type { Broadcast, CollectOptions } from './mailbox.js'

/** Whom to ask, and how long to wait; everybody, and for a second, where nothing is said. */
export interface ControlOptions {
  /** Names of nodes. */
  readonly destination?: string | readonly string[] | undefined
  /** Which nodes, by a pattern of their names. `destination` wins. */
  readonly pattern?: string | undefined
  /** What `pattern` is: shell wildcards, or a regular expression. @default 'glob' */
  readonly matcher?: 'glob' | 'pcre' | undefined
  /** Milliseconds after the last reply for which another one is waited for. @default 1000 */
  readonly timeout?: number | undefined
  /** So many replies are enough. @default the number of destinations, if there are any */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const DEFAULT_TIMEOUT_MS = 1000

/** @throws InvalidArgumentError */
export function readOptions(
  method: string,
  args: Readonly<Record<string, unknown>>,
  { destination, pattern, matcher, timeout = DEFAULT_TIMEOUT_MS, limit, signal }: ControlOptions,
): { readonly broadcast: Broadcast; readonly collect: CollectOptions } {
  if (typeof method !== 'string' || method === '') refuse('method', method, 'the name of a command')
  const names = typeof destination === 'string' ? [destination] : destination
  const areNames = names === undefined || (Array.isArray(names) && names.length > 0 && names.every(isText))
  if (!areNames) refuse('destination', destination, 'one or more names of nodes')
  if (pattern !== undefined && !isText(pattern)) refuse('pattern', pattern, 'a non-empty string')
  if (matcher !== undefined && matcher !== 'glob' && matcher !== 'pcre')
    refuse('matcher', matcher, "'glob' or 'pcre'")
  if (!(timeout > 0 && timeout <= LONGEST_TIMEOUT_MS)) refuse('timeout', timeout, 'milliseconds, more than 0')
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
    refuse('limit', limit, 'a whole number from 1')
  return {
    broadcast: {
      method,
      arguments: args,
      destination: names,
      ...(pattern !== undefined && { pattern, matcher: matcher ?? 'glob' }),
    },
    collect: { timeoutMs: timeout, limit, signal },
  }
}

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

export function refuse(argument: string, value: unknown, expected: string): never {
  throw new InvalidArgumentError(`${argument}: expected ${expected}, got ${describeValue(value)}`)
}
