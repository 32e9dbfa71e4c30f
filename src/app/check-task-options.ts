import { z } from 'zod'
import { didYouMean } from '../did-you-mean.js'
import { faultOfTimeLimits } from './check-time-limits.js'
import { faultOfUnique } from './check-unique.js'
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
const BACKOFF = 'true, false, or seconds'
const PRIORITY = 'an integer from 0 to 9'

const RATE = 'a rate such as "10/s" or "100/m", a number a second, or { limit, per, key }'
const COUNT = 'an integer, 1 or more'
const KEY = 'a non-empty string, or a function of the arguments'
const key = z.union([z.string().min(1, KEY), hook], KEY)
const sharedRate = z.strictObject({
  limit: z.number('a number, more than 0').positive('a number, more than 0'),
  per: z.enum(['s', 'm', 'h'], 's, m or h').optional(),
  key: key.optional(),
})

function faultOfRate(rate: unknown): string | undefined {
  if (typeof rate === 'object' && rate !== null && !Array.isArray(rate)) {
    const issue = sharedRate.safeParse(rate).error?.issues[0]
    if (issue === undefined) return undefined
    if (issue.code === 'unrecognized_keys') return `rateLimit: expected ${RATE}, got ${issue.keys.join(', ')}`
    const [member = ''] = issue.path.map(String)
    const value = describeValue((rate as Record<string, unknown>)[member])
    return `rateLimit.${member}: expected ${issue.message}, got ${value}`
  }
  try {
    parseRate(rate)
    return undefined
  } catch {
    return `rateLimit: expected ${RATE}, got ${describeValue(rate)}`
  }
}

/** One that says by itself what is wrong, and where in it. */
const checkedBy = (faultOf: (value: unknown) => string | undefined) =>
  z.unknown().superRefine((value, context) => {
    const fault = value === undefined ? undefined : faultOf(value)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, params: { isWhole: true } })
  })

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
  retryBackoff: z.union([z.boolean(), z.number().nonnegative(BACKOFF)], BACKOFF),
  retryBackoffMax: seconds,
  retryJitter: flag,
  softTimeLimit: seconds,
  timeLimit: seconds,
  rateLimit: checkedBy(faultOfRate),
  concurrencyLimit: z.number(COUNT).int(COUNT).min(1, COUNT),
  concurrencyKey: key,
  unique: checkedBy(faultOfUnique),
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

const FORM_OPTIONS = ['bind', 'params', 'argNames', 'kwargs']
const schema = z.strictObject(shape).partial()

/**
 * Check what a task says of itself, but for the form of its function.
 *
 * @param where - Begins each fault.
 * @throws InvalidArgumentError with one line for each fault.
 */
export function checkTaskOptions(where: string, options: object): void {
  check(where, options, FORM_OPTIONS)
}

/**
 * The same of what replaces options of a task from outside, which cannot say how its function is called.
 *
 * @throws InvalidArgumentError
 */
export function checkAnnotation(where: string, options: object): void {
  check(where, options, [])
}

function check(where: string, options: object, passed: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError(`${where}: expected an object of options, got ${describeValue(options)}`)
  }
  const given = Object.fromEntries(Object.entries(options).filter(([key]) => !passed.includes(key)))
  const parsed = schema.safeParse(given)
  if (parsed.success) {
    const fault = faultOfTimeLimits(parsed.data)
    if (fault === undefined) return
    throw new InvalidArgumentError(`${where}: ${fault}`)
  }
  const faults = parsed.error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownOption(where, key, passed))
    if (issue.code === 'custom' && issue.params?.['isWhole'] === true) return [`${where}: ${issue.message}`]
    const [key = ''] = issue.path.map(String)
    return [`${where}: ${key}: expected ${issue.message}, got ${describeValue(given[key])}`]
  })
  throw new InvalidArgumentError(faults.join('\n'))
}

function unknownOption(where: string, key: string, passed: readonly string[]): string {
  const meant = didYouMean(key, [...Object.keys(shape), ...passed])
  return `${where}: ${key}: unknown option${meant === undefined ? '' : `; did you mean ${meant}?`}`
}
