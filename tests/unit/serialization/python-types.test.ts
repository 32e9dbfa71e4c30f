import { expect, it } from 'vitest'
import { InvalidArgumentError } from '../../../src/errors.js'
import { Decimal, Uuid } from '../../../src/serialization/python-types.js'

it('a Decimal keeps its digits', () => {
  for (const text of ['12.340', '-0', '1E+5', '.5', '5.', 'NaN', '-Infinity']) {
    expect(String(new Decimal(text))).toBe(text)
  }
})

it('a Decimal refuses what Python would refuse', () => {
  for (const text of ['', '1,5', '0x1', '1e', 'abc', '.'])
    expect(() => new Decimal(text)).toThrow(InvalidArgumentError)
})

it('a Uuid is canonical, however it was written', () => {
  const canonical = '12345678-1234-5678-1234-56781234abcd'
  for (const text of [canonical, canonical.toUpperCase(), '1234567812345678123456781234ABCD']) {
    expect(String(new Uuid(text))).toBe(canonical)
    expect(new Uuid(text).hex).toBe('1234567812345678123456781234abcd')
  }
  for (const text of ['', 'abc', `${canonical}0`]) expect(() => new Uuid(text)).toThrow(InvalidArgumentError)
})
