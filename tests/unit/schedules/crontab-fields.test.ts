import { describe, expect, it } from 'vitest'
import { CrontabError, crontabValues, type CrontabField } from '../../../src/schedules/crontab-fields.js'
import { celeryVersions, pureRecords } from './vectors.js'

interface FieldRecord {
  readonly field: string
  readonly text?: string
  readonly python?: string
  readonly values?: number[]
  readonly raised?: string
}

/** The values that the recorder passed as Python objects. */
const PYTHON_VALUES: Readonly<Record<string, number | number[]>> = {
  '7': 7,
  '[1, 2]': [1, 2],
  '(1, 2)': [1, 2],
  '{3, 4}': [3, 4],
  '60': 60,
  '3.5': 3.5,
}

/** Celery 5.2 does not know the names of months yet; here they are known always. */
const isOlderThanMonthNames = (version: string, record: FieldRecord): boolean =>
  version === 'celery-5.2.6' && record.field === 'month_of_year' && /[a-z]/.test(record.text ?? '')

describe.each(celeryVersions)('crontab fields as %s reads them', (version) => {
  const records = pureRecords<FieldRecord>(version, 'pure_crontab_fields').filter(
    (record) => !isOlderThanMonthNames(version, record),
  )

  it('has all the recordings', () => {
    expect(records).toHaveLength(version === 'celery-5.2.6' ? 60 : 64)
  })

  it.each(records)('$field $text$python', ({ field, text, python, values, raised }) => {
    const name = field.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) as CrontabField
    const value = text ?? PYTHON_VALUES[python ?? '']
    if (value === undefined) throw new Error(`no value for the recorded ${python ?? 'nothing'}`)
    if (raised === undefined) expect(crontabValues(name, value)).toEqual(values)
    else expect(() => crontabValues(name, value)).toThrow(CrontabError)
  })
})

describe('crontab fields', () => {
  it('allow spaces after commas', () => {
    expect(crontabValues('dayOfWeek', 'mon, fri')).toEqual([1, 5])
  })

  it('go by the first three letters of a name, as Celery does', () => {
    expect(crontabValues('dayOfWeek', 'Tues-Thurs')).toEqual([2, 3, 4])
    expect(crontabValues('monthOfYear', 'Sept')).toEqual([9])
  })

  it('name the field, its text and what was expected in an error', () => {
    expect(() => crontabValues('hour', '9-25')).toThrow(
      /^crontab field hour is string "9-25"; expected numbers from 0 to 23/,
    )
    expect(() => crontabValues('minute', [0, 75])).toThrow(/minute is number 75/)
  })

  it.each(['1-5-7', '1-5/', '*5', '1 2', '1-5/x', ' ', '*/-2', '1.5'])('refuse %j', (text) => {
    expect(() => crontabValues('minute', text)).toThrow(CrontabError)
  })

  it('refuse an empty array', () => {
    expect(() => crontabValues('minute', [])).toThrow(CrontabError)
  })
})
