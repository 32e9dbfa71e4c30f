import { describeValue, LovageError } from '../errors.js'

/** A field as people write it: `'*'`, `'mon-fri'`, `5`, `[0, 30]`. */
export type CrontabValue = string | number | readonly number[]

/** Celery's five fields; what is left out matches always. */
export interface CrontabFields {
  /** 0-59 */
  readonly minute?: CrontabValue
  /** 0-23 */
  readonly hour?: CrontabValue
  /** 0-6, Sunday is 0; or names. */
  readonly dayOfWeek?: CrontabValue
  /** 1-31 */
  readonly dayOfMonth?: CrontabValue
  /** 1-12; or names. */
  readonly monthOfYear?: CrontabValue
}

export type CrontabField = keyof CrontabFields

/** Thrown when a crontab says what Celery's grammar does not allow, or what can never happen. */
export class CrontabError extends LovageError {
  readonly code = 'INVALID_CRONTAB'
}

interface Bounds {
  readonly min: number
  readonly max: number
}

const BOUNDS: Readonly<Record<CrontabField, Bounds>> = {
  minute: { min: 0, max: 59 },
  hour: { min: 0, max: 23 },
  dayOfWeek: { min: 0, max: 6 },
  dayOfMonth: { min: 1, max: 31 },
  monthOfYear: { min: 1, max: 12 },
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

// A star or a range, each with or without a step; or a number. Names stand for numbers.
const PART = /^(?:(?<star>\*)|(?<from>\w+)(?:-(?<to>\w+))?)(?:\/(?<step>\d+))?$/

/**
 * The values that a field matches, ascending (wire protocol, section 17.2).
 *
 * @throws {@link CrontabError} naming the field, its text and what was expected.
 */
export function crontabValues(field: CrontabField, value: CrontabValue): readonly number[] {
  const values = typeof value === 'string' ? parse(field, value) : listed(field, value)
  return [...new Set(values)].sort((a, b) => a - b)
}

function listed(field: CrontabField, value: number | readonly number[]): readonly number[] {
  const bounds = BOUNDS[field]
  const numbers: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (numbers.length === 0) throw refusal(field, value)
  return numbers.map((number) => {
    if (typeof number !== 'number' || !isWithin(bounds, number)) throw refusal(field, number)
    return number
  })
}

function parse(field: CrontabField, text: string): readonly number[] {
  return text.split(',').flatMap((part) => {
    const { star, from, to, step } = PART.exec(part.trim())?.groups ?? {}
    const stride = step === undefined ? 1 : Number(step)
    const bounds = BOUNDS[field]
    const first = star === undefined ? numberOf(from, bounds) : bounds.min
    const last = star === undefined ? numberOf(to ?? from, bounds) : bounds.max
    const isSingle = star === undefined && to === undefined
    if (first === undefined || last === undefined || stride === 0 || (isSingle && step !== undefined)) {
      throw refusal(field, text)
    }
    return range(first, last, bounds).filter((_, index) => index % stride === 0)
  })
}

/** From `first` to `last`, over the end of the field and on from its beginning where `last` is the smaller. */
function range(first: number, last: number, { min, max }: Bounds): readonly number[] {
  const size = max - min + 1
  const length = ((last - first + size) % size) + 1
  return Array.from({ length }, (_, index) => min + ((first - min + index) % size))
}

/** As Celery does, months go before weekdays and three letters are enough, in every field. */
function numberOf(text: string | undefined, bounds: Bounds): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d+$/.test(text) ? Number(text) : numberOfName(text.slice(0, 3).toLowerCase())
  return number !== undefined && isWithin(bounds, number) ? number : undefined
}

function numberOfName(name: string): number | undefined {
  if (MONTHS.includes(name)) return MONTHS.indexOf(name) + 1
  return WEEKDAYS.includes(name) ? WEEKDAYS.indexOf(name) : undefined
}

function isWithin({ min, max }: Bounds, number: number): boolean {
  return Number.isInteger(number) && number >= min && number <= max
}

function refusal(field: CrontabField, value: unknown): CrontabError {
  const { min, max } = BOUNDS[field]
  const names =
    field === 'monthOfYear' ? ', or names (jan-dec)' : field === 'dayOfWeek' ? ', or names (sun-sat)' : ''
  return new CrontabError(
    `crontab field ${field} is ${describeValue(value)}; expected numbers from ${min} to ${max}${names}: ` +
      'a number, an array of numbers, or a comma list of "*", "n", "a-b", "*/step" and "a-b/step"',
  )
}
