import { z } from 'zod'
import { didYouMean } from '../did-you-mean.js'
import { parseRate } from './rate-limit.js'
import { describeValue, InvalidArgumentError } from '../errors.js'

const text = z.string('a string')
const name = z.string('a non-empty string').min(1, 'a non-empty string')
const flag = z.boolean('true or false')
const seconds = z.number('seconds, 0 or more').nonnegative('seconds, 0 or more')
const hook = z.custom((value) => typeof value === 'function', 'a function')
const errors = z.array(
  z.custom((value) => typeof value === 'function', 'a list of error classes'),
  'a list of error classes',
)
const RETRIES = 'an integer, 0 or more, or null'
const PRIORITY = 'an integer from 0 to 9'

const RATE = 'a rate such as "10/s" or "100/m", a number a second, or { limit, per, key }'
const COUNT = 'an integer, 1 or more'
const key = z.union([name, hook], 'a string, or a function of the arguments')
const rateLimit = z.union(
  [
    z.custom((rate) => isRate(rate)),
    z.strictObject({
      limit: z.number().positive(),
      per: z.enum(['s', 'm', 'h']).optional(),
      key: key.optional(),
    }),
  ],
  RATE,
)

const unique = z.union(
  [
    z.boolean(),
    z.strictObject({
      key: key.optional(),
      ttl: z.number().positive().optional(),
      until: z.enum(['start', 'finish']).optional(),
      onConflict: z.enum(['drop', 'error']).optional(),
    }),
  ],
  'true, false, or { key, ttl, until, onConflict }',
)

function isRate(rate: unknown): boolean {
  try {
    parseRate(rate)
    return true
  } catch {
    return false
  }
}

/** Of each option what it may be, the message being what is expected. */
const shape = {
  queue: name,
  priority: z.number(PRIORITY).int(PRIORITY).min(0, PRIORITY).max(9, PRIORITY),
  ignoreResult: flag,
  storeErrorsEvenIfIgnored: flag,
  resultExpires: seconds.nullable(),
  acksLate: flag,
  acksOnFailureOrTimeout: flag,
  rejectOnWorkerLost: flag,
  trackStarted: flag,
  maxRetries: z.number(RETRIES).int(RETRIES).nonnegative(RETRIES).nullable(),
  defaultRetryDelay: seconds,
  autoretryFor: errors,
  dontAutoretryFor: errors,
  throws: errors,
  retryBackoff: z.union([z.boolean(), z.number().nonnegative()], 'true, false, or seconds'),
  retryBackoffMax: seconds,
  retryJitter: flag,
  softTimeLimit: seconds,
  timeLimit: seconds,
  rateLimit,
  concurrencyLimit: z.number(COUNT).int(COUNT).min(1, COUNT),
  concurrencyKey: key,
  unique,
  expires: seconds,
  serializer: name,
  compression: name,
  sendEvents: flag,
  description: text,
  beforeStart: hook,
  onSuccess: hook,
  onFailure: hook,
  onRetry: hook,
  afterReturn: hook,
} as const

const FORM_OPTIONS = ['bind', 'params', 'argNames', 'kwargs'] as const
const schema = z.strictObject(shape).partial()

/**
 * Check what a task says of itself, but for the form of its function.
 *
 * @param where - Begins each fault.
 * @throws InvalidArgumentError with one line for each fault.
 */
export function checkTaskOptions(where: string, options: object): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(`${where}: expected an object of options, got ${describeValue(options)}`)
  }
  const given = Object.fromEntries(
    Object.entries(options).filter(([key]) => !FORM_OPTIONS.includes(key as 'bind')),
  )
  const parsed = schema.safeParse(given)
  if (parsed.success) return
  const faults = parsed.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownOption(where, key))
    const [key = ''] = issue.path.map(String)
    return [`${where}: ${key}: expected ${issue.message}, got ${describeValue(given[key])}`]
  })
  throw new InvalidArgumentError(faults.join('\n'))
}

function unknownOption(where: string, key: string): string {
  const meant = didYouMean(key, [...Object.keys(shape), ...FORM_OPTIONS])
  return `${where}: ${key}: unknown option${meant === undefined ? '' : `; did you mean ${meant}?`}`
}
