import { describeValue, InvalidArgumentError } from '../errors.js'

/** What a limit counts by: a name that all who use it share, or made from the arguments; undefined: no limit. */
export type LimitKey =
  string | ((args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>) => string | undefined)

/** Not of Celery: a rate that all workers together keep. */
export interface SharedRateLimit {
  /** How many may start in `per`. */
  readonly limit: number
  /** @default 's' */
  readonly per?: 's' | 'm' | 'h'
  /** A rate for each. @default the task's name */
  readonly key?: LimitKey
}

/** In each worker, as Celery's: `10/s`, `100/m`, `5/h`, or a number a second; 0 or null: any number. */
export type RateLimit = number | string | null

const SECONDS = { s: 1, m: 60, h: 3600 } as const
const EXPECTED = 'a rate such as "10/s", "100/m" or "5/h", or a number a second'

/**
 * How many may start in a second; 0: any number.
 *
 * @throws InvalidArgumentError
 * @see Celery 5.6, `utils/time.py`: `rate`
 */
export function parseRate(rate: unknown): number {
  if (rate === null || rate === undefined || rate === '') return 0
  if (typeof rate === 'number' && rate >= 0 && Number.isFinite(rate)) return rate
  const [, count, unit = 's'] = typeof rate === 'string' ? (PATTERN.exec(rate) ?? []) : []
  if (count === undefined) {
    throw new InvalidArgumentError(`rate limit: expected ${EXPECTED}, got ${describeValue(rate)}`)
  }
  return Number(count) / SECONDS[unit as keyof typeof SECONDS]
}

const PATTERN = /^(\d+(?:\.\d+)?)(?:\/([smh]))?$/

/** The same of a shared one. */
export function perSecond({ limit, per = 's' }: SharedRateLimit): number {
  return limit / SECONDS[per]
}

/**
 * The key of a limit for one call. A key made from arguments counts within its task, a name for all tasks that give it.
 *
 * @returns undefined where the function says that there is no limit for this call.
 */
export function limitKeyOf(
  key: LimitKey | undefined,
  task: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): string | undefined {
  if (key === undefined) return `task:${task}`
  if (typeof key === 'string') return `name:${key}`
  const made: unknown = key(args, kwargs)
  if (made === undefined || made === null) return undefined
  if (typeof made === 'string' || typeof made === 'number') return `task:${task}:${made}`
  throw new InvalidArgumentError(`the key of ${task}: expected a string, got ${describeValue(made)}`)
}
