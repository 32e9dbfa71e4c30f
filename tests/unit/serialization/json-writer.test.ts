import { describe, expect, it } from 'vitest'
import { createJsonWriter, literal } from '../../../src/serialization/json-writer.js'

const NAME = literal('"name":')
const SMALLEST = 1

function written(write: (json: ReturnType<typeof createJsonWriter>) => void, capacity = 1024): unknown {
  const json = createJsonWriter(capacity)
  json.raw('{')
  write(json)
  json.raw('}')
  return JSON.parse(Buffer.from(json.take()).toString())
}

describe('a JSON writer', () => {
  it.each([
    '',
    'plain',
    'a "quoted" one',
    'C:\\temp',
    'a\nline',
    '\u0000\u001f',
    '\u007f',
    "('ü', '日本', '😀')",
    'half of a pair: \ud83d',
    `${'ascii '.repeat(100)}ü`,
  ])('writes texts as JSON.stringify does: %j', (text) => {
    const expected = { name: JSON.parse(JSON.stringify(text)) as string }
    expect(written((json) => json.text(NAME, text))).toEqual(expected)
    expect(written((json) => json.text(NAME, text), SMALLEST)).toEqual(expected)
  })

  it.each([
    0,
    7,
    9,
    10,
    99,
    100,
    2 ** 31 - 1,
    2 ** 31,
    0.5,
    -3,
    1234567890.123,
    1e21,
    5e-324,
    -Number.MAX_VALUE,
  ])('writes numbers so that they are read as they were: %d', (number) => {
    expect(written((json) => json.number(NAME, number), SMALLEST)).toEqual({ name: number })
  })

  it('writes null where there is nothing, and flags', () => {
    expect(written((json) => json.text(NAME, undefined))).toEqual({ name: null })
    expect(written((json) => json.text(NAME, null))).toEqual({ name: null })
    expect(written((json) => json.number(NAME, null))).toEqual({ name: null })
    expect(written((json) => json.flag(NAME, true))).toEqual({ name: true })
    expect(written((json) => json.flag(NAME, false))).toEqual({ name: false })
  })

  it('grows with what is written, and begins anew when that is taken', () => {
    const json = createJsonWriter(SMALLEST)
    const texts = Array.from({ length: 200 }, (_, i) => 'x'.repeat(i))
    for (const text of texts) json.text(literal(','), text)
    const all = Buffer.from(json.take()).toString()
    expect(JSON.parse(`[${all.slice(1)}]`)).toEqual(texts)
    expect(json.length).toBe(0)
    json.raw('ü')
    expect(json.length).toBe(2)
    expect(Buffer.from(json.take()).toString()).toBe('ü')
  })
})
