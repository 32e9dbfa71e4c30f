import { describe, expect, it } from 'vitest'
import { EncodeError, InvalidJsonError } from '../../../src/serialization/errors.js'
import { formatJson, parseJson } from '../../../src/serialization/json.js'
import { parseLosslessJson } from '../../../src/serialization/lossless-json.js'
import { Decimal, Uuid } from '../../../src/serialization/python-types.js'
import { randomNumbers } from './random.js'
import { FOLDERS, scenario } from './vectors.js'

const UUID = '12345678-1234-5678-1234-567812345678'

/** What each value of the recorded scenario is on our side. */
const DECODED: Readonly<Record<string, unknown>> = {
  datetime_naive: new Date('2024-02-03T04:05:06.789Z'),
  datetime_utc: new Date('2024-02-03T04:05:06Z'),
  datetime_east: new Date('2024-02-03T02:05:06Z'),
  date: '2024-02-03',
  time: '04:05:06',
  uuid: UUID,
  decimal: '12.340',
  bytes_text: Buffer.from('abc'),
  bytes_binary: Buffer.from([0xff, 0, 1]),
  tuple: [1, 2],
  set_like: [1],
  nan: NaN,
  infinity: Infinity,
  big: 1180591620717411303424n,
  nested: { when: ['2024-02-03'] },
  int_key: { '1': 'one' },
  text: '€😀',
  control: '\u0000\u001f\u007f',
}

describe('parseJson', () => {
  it('Must 4.2: reads every value that kombu 5.3 and later tags', () => {
    const values = scenario('celery-5.6.3', 'serializer_json_types').filter(
      (record) => record.kind === 'json',
    )
    expect(values.map((record) => record.label).sort()).toEqual(Object.keys(DECODED).sort())
    for (const { label = '', raw = '' } of values) {
      expect((parseJson(raw) as { v: unknown }).v, label).toEqual(DECODED[label])
    }
  })

  it('Must 4.2: leaves the plain strings of kombu 5.2 as they are', () => {
    for (const { label = '', raw } of scenario('celery-5.2.6', 'serializer_json_types')) {
      if (raw === undefined || ['nan', 'infinity', 'big'].includes(label)) continue
      expect(parseJson(raw), label).toEqual(JSON.parse(raw))
    }
  })

  it('Must 4.5: returns an object with an unknown tag, or a value that does not fit, as it is', () => {
    for (const object of [
      { __type__: 'mystery', __value__: 1 },
      { __type__: 'datetime', __value__: 'yesterday' },
      { __type__: 'datetime', __value__: 5 },
      { __type__: 'uuid', __value__: { hex: 'xyz' } },
      { __type__: 'datetime', __value__: '2024-02-03T04:05:06', more: 1 },
      { __type__: 'datetime' },
    ]) {
      expect(parseJson(JSON.stringify({ at: [object] }))).toEqual({ at: [object] })
    }
  })

  it('Must 4.8: reads integers beyond 2^53 as bigint, at any depth, and no others', () => {
    expect(parseJson('{"a":[9007199254740993,-9007199254740993,9007199254740991]}')).toEqual({
      a: [9007199254740993n, -9007199254740993n, 9007199254740991],
    })
    expect(parseJson('12345678901234567890')).toBe(12345678901234567890n)
    expect(parseJson('[0.1234567890123456789, 12345678901234567890.5, 1e30]')).toEqual([
      0.12345678901234568, 12345678901234567000, 1e30,
    ])
    expect(parseJson('"12345678901234567890"')).toBe('12345678901234567890')
  })

  it('Must 4.1: accepts bare NaN and infinities, and their names in text', () => {
    expect(parseJson('[NaN, Infinity, -Infinity, "NaN"]')).toEqual([NaN, Infinity, -Infinity, 'NaN'])
  })

  it('refuses what is no JSON, whichever parser sees it', () => {
    for (const text of [
      '',
      '{',
      '[1,]',
      '{"a":}',
      '[NaN',
      '{a:NaN}',
      '"\n NaN"',
      '[12345678901234567890',
      'NaN 1',
      '01',
    ]) {
      expect(() => parseJson(text), text).toThrow(InvalidJsonError)
    }
    expect(() => parseJson(`[${'9'.repeat(5000)}]`)).toThrow(/4300 digits/)
    expect(() => parseJson(`NaN${'['.repeat(5000)}`)).toThrow(InvalidJsonError)
    expect(() => parseJson(`${'['.repeat(5000)}NaN${']'.repeat(5000)}`)).toThrow(/deeper than 1000/)
    expect(() => parseJson(`${'['.repeat(5000)}"__type__"${']'.repeat(5000)}`)).toThrow(/deeper than 1000/)
  })

  it('never lets a message change a prototype', () => {
    for (const text of ['{"__proto__":{"x":1}}', '{"__proto__":{"x":1},"big":12345678901234567890}']) {
      const value = parseJson(text) as { x?: number }
      expect(value.x).toBeUndefined()
      expect(Object.keys(value)).toContain('__proto__')
    }
  })

  it('agrees with JSON.parse on ordinary values, in both parsers', () => {
    const random = randomNumbers(7)
    for (let round = 0; round < 2000; round++) {
      const text = JSON.stringify(ordinaryValue(random, 0), undefined, round % 3)
      expect(parseJson(text)).toEqual(JSON.parse(text))
      expect(parseLosslessJson(text)).toEqual(JSON.parse(text))
    }
  })
})

describe('formatJson', () => {
  it('Must 4.3: writes what kombu 5.6 writes for dates, UUIDs, decimals and bytes', () => {
    const raw = rawByLabel('celery-5.6.3')
    for (const [label, value] of [
      ['uuid', new Uuid(UUID)],
      ['decimal', new Decimal('12.340')],
      ['bytes_text', Buffer.from('abc')],
      ['bytes_binary', new Uint8Array([0xff, 0, 1])],
      ['big', 1180591620717411303424n],
      ['int_key', new Map([[1, 'one']])],
      ['text', '€😀'],
    ] as const) {
      expect(JSON.parse(formatJson({ v: value })), label).toEqual(JSON.parse(raw.get(label) ?? ''))
    }
    expect(formatJson(1180591620717411303424n)).toBe('1180591620717411303424')
    expect(JSON.parse(formatJson(new Date('2024-02-03T04:05:06.789Z')))).toEqual({
      __type__: 'datetime',
      __value__: '2024-02-03T04:05:06.789000+00:00',
    })
  })

  it('Must 4.3: writes the strings of kombu 5.2 in the plain form, and refuses bytes as it does', () => {
    const raw = rawByLabel('celery-5.2.6')
    for (const [label, value] of [
      ['datetime_utc', new Date('2024-02-03T04:05:06Z')],
      ['uuid', new Uuid(UUID)],
      ['decimal', new Decimal('12.340')],
    ] as const) {
      expect(JSON.parse(formatJson({ v: value }, 'plain')), label).toEqual(JSON.parse(raw.get(label) ?? ''))
    }
    expect(formatJson(new Date('2024-02-03T04:05:06.789Z'), 'plain')).toBe('"2024-02-03T04:05:06.789000Z"')
    expect(() => formatJson(Buffer.from('abc'), 'plain')).toThrow(EncodeError)
  })

  it('Must 4.1: never writes NaN or infinities, and says where they are', () => {
    expect(() => formatJson([{ price: NaN }], 'tagged', 'args')).toThrow('args[0].price is NaN')
    expect(() => formatJson({ 'a b': [Infinity] }, 'tagged', 'kwargs')).toThrow(
      'kwargs["a b"][0] is Infinity',
    )
    expect(() => formatJson(-Infinity)).toThrow(/^the value is -Infinity/)
  })

  it('Must 4.4: refuses an object that kombu would take for a tagged value', () => {
    expect(() => formatJson([{ __type__: 'mystery', __value__: 1 }])).toThrow(EncodeError)
    expect(() => formatJson([{ __value__: 1, __type__: 5 }], 'plain')).toThrow(EncodeError)
    expect(formatJson({ __type__: 'date', __value__: '2024-02-03' })).toBe(
      '{"__type__":"date","__value__":"2024-02-03"}',
    )
    expect(formatJson({ __type__: 'mystery', __value__: 1, more: 2 })).toContain('mystery')
    expect(formatJson({ __type__: 'mystery' })).toBe('{"__type__":"mystery"}')
  })

  it('Must 4.8: writes a bigint digit by digit', () => {
    expect(formatJson({ id: [9007199254740993n] })).toBe('{"id":[9007199254740993]}')
  })

  it('writes what an ordinary instance has, a Map as an object and a Set as a list', () => {
    class Point {
      readonly x = 1
      readonly #hidden = 2
      get sum(): number {
        return this.x + this.#hidden
      }
    }
    expect(formatJson({ p: new Point(), m: new Map([[1, new Set(['a', new Set()])]]) })).toBe(
      '{"p":{"x":1},"m":{"1":["a",[]]}}',
    )
  })

  it('refuses what no reader could make sense of, naming the place', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = [cycle]
    for (const [value, message] of [
      [{ a: (): void => undefined }, /^a is a function/],
      [[Symbol('s')], /^\[0\] is Symbol\(s\)/],
      [{ e: new RangeError('x') }, /^e is an Error: throw it/],
      [[/x/], /^\[0\] is an instance of RegExp without members/],
      [[1].values(), /without members of its own/],
      [{ n: new WeakMap() }, /^n is a weak collection/],
      [new Set([{ a: Symbol('s') }]), /^\[0\]\.a is Symbol\(s\)/],
      [
        {
          a: {
            toJSON: () => {
              throw new RangeError('no JSON')
            },
          },
        },
        /^a has a toJSON that threw: RangeError: no JSON/,
      ],
      [
        {
          a: {
            get b() {
              throw new RangeError('no b')
            },
          },
        },
        /^a cannot be read: RangeError: no b/,
      ],
      [cycle, /^self\[0\] refers back/],
      [[Promise.resolve()], /await/],
      [new Float64Array(2), /Float64Array/],
      [new Map([[{}, 1]]), /Map/],
      [{ at: new Date(NaN) }, /^at is a Date/],
    ] as const) {
      expect(() => formatJson(value)).toThrow(EncodeError)
      expect(() => formatJson(value)).toThrow(message)
    }
  })

  it('refuses depth beyond 1000 without overflowing the stack', () => {
    const nested = (depth: number): unknown => {
      let value: unknown = 1
      for (let level = 0; level < depth; level++) value = [value]
      return value
    }
    expect(formatJson(nested(1000))).toHaveLength(2001)
    expect(() => formatJson(nested(1001))).toThrow(EncodeError)
    expect(() => formatJson(nested(200_000))).toThrow(/deeper than 1000/)
  })

  it('drops undefined members, writes null for undefined elsewhere, and honours toJSON', () => {
    expect(formatJson({ a: undefined, b: [undefined, 1] })).toBe('{"b":[null,1]}')
    expect(formatJson(undefined)).toBe('null')
    expect(formatJson({ a: { toJSON: () => ({ n: 2n }) }, b: { toJSON: () => undefined } })).toBe(
      '{"a":{"n":2}}',
    )
    const shared = { n: 1 }
    expect(formatJson([shared, shared, 1n])).toBe('[{"n":1},{"n":1},1]')
  })

  it('agrees with JSON.stringify on ordinary values, with and without a special one among them', () => {
    const random = randomNumbers(11)
    for (let round = 0; round < 2000; round++) {
      const value = ordinaryValue(random, 0)
      expect(formatJson(value)).toBe(JSON.stringify(value))
      expect(formatJson([value, 1n])).toBe(`[${JSON.stringify(value)},1]`)
    }
  })
})

describe('what one side writes', () => {
  it.each(FOLDERS.slice(0, 2))('in %s reads and writes back to the same JSON', (folder) => {
    for (const { label = '', raw } of scenario(folder, 'serializer_json_types')) {
      if (raw === undefined || /^(datetime|date|time|uuid|decimal|nested|nan|infinity|big)/.test(label))
        continue
      expect(JSON.parse(formatJson(parseJson(raw))), label).toEqual(JSON.parse(raw))
    }
  })
})

function rawByLabel(folder: string): Map<string, string> {
  return new Map(scenario(folder, 'serializer_json_types').map(({ label = '', raw = '' }) => [label, raw]))
}

function ordinaryValue(random: () => number, depth: number): unknown {
  const kind = Math.floor(random() * (depth < 4 ? 8 : 6))
  if (kind === 0) return null
  if (kind === 1) return random() < 0.5
  if (kind === 2) return Math.floor(random() * 2000 - 1000)
  if (kind === 3) return (random() - 0.5) * 10 ** Math.floor(random() * 30 - 20)
  if (kind < 6) return ordinaryText(random)
  const items = Array.from({ length: Math.floor(random() * 5) }, () => ordinaryValue(random, depth + 1))
  if (kind === 6) return items
  return Object.fromEntries(items.map((item, index) => [`${ordinaryText(random)}${index}`, item]))
}

function ordinaryText(random: () => number): string {
  const alphabet = ['a', '"', '\\', '\n', '\u0000', 'é', '😀', '[', '}', ',', ':', ' ', '\u2028', '/']
  return Array.from(
    { length: Math.floor(random() * 8) },
    () => alphabet[Math.floor(random() * alphabet.length)],
  ).join('')
}
