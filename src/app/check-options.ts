import { didYouMean } from '../did-you-mean.js'
import { describeValue, InvalidArgumentError } from '../errors.js'
import { isPlainRecord } from '../serialization/plain-record.js'

/** What one option may be; or a function that throws by itself. */
export type Check = readonly [expected: string, isGood: (value: unknown) => boolean]
export type Checks<Options> = Readonly<Record<keyof Options, Check | ((value: unknown) => void)>>

type Test = Check[1]
const isText: Test = (value) => typeof value === 'string' && value !== ''
const areTexts: Test = (value) => Array.isArray(value) && value.every(isText)
const isFlag: Test = (value) => typeof value === 'boolean'
const isLimit: Test = (value) => Number.isFinite(value) && Number(value) >= 0
const isDate: Test = (value) => value instanceof Date && !Number.isNaN(value.getTime())
const isDeadline: Test = (value) => Number.isFinite(value) || isDate(value)
const isAny: Test = () => true
export const isObject: Test = (value) => typeof value === 'object' && value !== null
const isCount: Test = (value) => Number.isInteger(value) && Number(value) >= 0

export const TEXT: Check = ['a non-empty string', isText]
export const TEXTS: Check = ['a list of strings', areTexts]
export const FLAG: Check = ['true or false', isFlag]
export const COUNT: Check = ['an integer, 0 or more', isCount]
export const DELAY: Check = ['seconds', Number.isFinite]
export const LIMIT: Check = ['seconds, 0 or more', isLimit]
export const DATE: Check = ['a valid Date', isDate]
export const DEADLINE: Check = ['seconds or a valid Date', isDeadline]
export const NAMED: Check = ['an object', isPlainRecord]
export const ANY: Check = ['anything', isAny]

/**
 * Quick, as it is done with each call: it looks at what is given only.
 *
 * @param of - whose options they are, for the message.
 * @throws InvalidArgumentError naming the first fault.
 */
export function checkOptions<Options extends object>(
  of: string,
  options: Options,
  checks: Checks<Options>,
): void {
  for (const name in options) {
    const value = options[name]
    if (value === undefined) continue
    const check = checks[name] as Checks<Options>[keyof Options] | undefined
    if (check === undefined) throw new InvalidArgumentError(unknownOption(of, name, checks))
    if (typeof check === 'function') check(value)
    else if (!check[1](value))
      throw new InvalidArgumentError(`${name}: expected ${check[0]}, got ${describeValue(value)}`)
  }
}

function unknownOption(of: string, name: string, checks: object): string {
  const meant = didYouMean(name, Object.keys(checks))
  return `${name}: unknown option of ${of}${meant === undefined ? '' : `; did you mean ${meant}?`}`
}
