import { didYouMean } from '../did-you-mean.js'
import { describeValue, InvalidArgumentError } from '../errors.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import { checkUnique } from './check-unique.js'
import type { SendOptions } from './send-task.js'

type Check = readonly [expected: string, isGood: (value: unknown) => boolean]

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null
const isValidDate = (value: unknown): boolean => value instanceof Date && !Number.isNaN(value.getTime())
const isInteger = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0

const TEXT: Check = ['a non-empty string', isText]
const FLAG: Check = ['true or false', (value) => typeof value === 'boolean']
const COUNT: Check = ['an integer, 0 or more', isInteger]
const DELAY: Check = ['seconds', Number.isFinite]
const LIMIT: Check = ['seconds, 0 or more', (value) => Number.isFinite(value) && Number(value) >= 0]
const NAMED: Check = ['an object', isPlainRecord]
const TEXTS: Check = ['a list of strings', (value) => Array.isArray(value) && value.every(isText)]
const SIGNATURE: Check = ['a signature', (value) => isObject(value) && !Array.isArray(value)]
const SIGNATURES: Check = [
  'a signature, or a list of them',
  (value) => (Array.isArray(value) ? value.every(isObject) : isObject(value)),
]
const SIGNATURE_LIST: Check = [
  'a list of signatures',
  (value) => Array.isArray(value) && value.every(isObject),
]

const CHECKS: Readonly<Record<keyof SendOptions, Check | typeof checkUnique>> = {
  taskId: TEXT,
  queue: TEXT,
  priority: ['an integer from 0 to 9', (value) => isInteger(value) && Number(value) <= 9],
  countdown: DELAY,
  eta: ['a valid Date', isValidDate],
  expires: ['seconds or a valid Date', (value) => Number.isFinite(value) || isValidDate(value)],
  retries: COUNT,
  shadow: TEXT,
  ignoreResult: FLAG,
  timeLimit: LIMIT,
  softTimeLimit: LIMIT,
  headers: NAMED,
  serializer: TEXT,
  compression: TEXT,
  link: SIGNATURES,
  linkError: SIGNATURES,
  chain: SIGNATURE_LIST,
  chord: SIGNATURE,
  rootId: TEXT,
  parentId: TEXT,
  groupId: TEXT,
  groupIndex: COUNT,
  replyTo: TEXT,
  unique: checkUnique,
  stamps: NAMED,
  stampedHeaders: TEXTS,
  replacedTaskNesting: COUNT,
  properties: NAMED,
  signal: ['an AbortSignal', (value) => value instanceof AbortSignal],
  publishTimeoutMs: ['milliseconds, more than 0', (value) => Number(value) > 0 && typeof value === 'number'],
}

/**
 * Check what user code says of one call. What workers send on is not checked so: it may come from other senders.
 *
 * @throws InvalidArgumentError
 */
export function checkSendOptions(options: SendOptions): void {
  for (const name in options) {
    const value = options[name as keyof SendOptions]
    if (value === undefined) continue
    const check = CHECKS[name as keyof SendOptions] as Check | typeof checkUnique | undefined
    if (check === undefined) throw new InvalidArgumentError(unknownOption(name))
    if (typeof check === 'function') check(value)
    else if (!check[1](value))
      throw new InvalidArgumentError(`${name}: expected ${check[0]}, got ${describeValue(value)}`)
  }
}

function unknownOption(name: string): string {
  const meant = didYouMean(name, Object.keys(CHECKS))
  return `${name}: unknown option of a call${meant === undefined ? '' : `; did you mean ${meant}?`}`
}
