import { describe, expect, it } from 'vitest'
import { InvalidArgumentError } from '../../../src/errors.js'
import { EncodeError, UndecodableBodyError } from '../../../src/serialization/errors.js'
import { decodeBody } from '../../../src/serialization/decode-body.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { Decimal, Uuid } from '../../../src/serialization/python-types.js'
import {
  resolveAcceptContent,
  serializerForContentType,
  serializerNamed,
} from '../../../src/serialization/serializers.js'
import { pushedMessages, scenario } from './vectors.js'

const accept = resolveAcceptContent(['json', 'yaml', 'msgpack'])
const EMBED = { callbacks: null, errbacks: null, chain: null, chord: null }

function bytes(payload: string | Uint8Array): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : payload
}

describe.each(['celery-5.2.6', 'celery-5.6.3'])('the bodies of %s', (folder) => {
  const pushed = new Map(pushedMessages(folder, 'serializers').map(({ call, text }) => [call, text]))

  it.each(['json', 'yaml', 'msgpack'])('in %s decode to the call', (name) => {
    const envelope = parseEnvelope(pushed.get(`serializer='${name}'`) ?? '')
    expect(decodeBody(envelope, accept)).toEqual([[1, 'two', [3.5, null]], { k: { n: true } }, EMBED])
    expect(serializerForContentType(envelope.contentType).name).toBe(name)
    expect(serializerNamed(name).contentEncoding).toBe(envelope.contentEncoding)
  })

  it('in msgpack carry bytes, and a link', () => {
    const withBytes = parseEnvelope(pushed.get("serializer='msgpack' with bytes") ?? '')
    const [args] = decodeBody(withBytes, accept) as [Uint8Array[]]
    expect(args.map((arg) => [...arg])).toEqual([[255, 0]])
    const withLink = parseEnvelope(pushed.get("serializer='msgpack' with a link") ?? '')
    expect(decodeBody(withLink, accept)).toMatchObject([
      [1, 2],
      {},
      { callbacks: [{ task: 'v.on_success' }] },
    ])
  })

  it('Section 4.1: msgpack and YAML are written as Python writes them', () => {
    for (const name of ['msgpack', 'yaml']) {
      const wire = JSON.parse(pushed.get(`serializer='${name}'`) ?? '') as { body: string }
      const python = Buffer.from(wire.body, 'base64')
      const ours = bytes(serializerNamed(name).encode([[1, 'two', [3.5, null]], { k: { n: true } }, EMBED]))
      // PyYAML sorts keys and indents lists differently, which only JSON comparison levels out.
      if (name === 'msgpack') expect(Buffer.from(ours)).toEqual(python)
      else expect(serializerNamed(name).decode(ours)).toEqual(serializerNamed(name).decode(python))
    }
  })
})

describe.each(['json', 'yaml', 'msgpack'])('%s', (name) => {
  const serializer = serializerNamed(name)
  const roundTrip = (value: unknown): unknown => serializer.decode(bytes(serializer.encode(value)))

  it('gives back plain values', () => {
    const value = {
      text: [
        'y',
        'n',
        '1.5e3',
        '0x1f',
        '1:30',
        '<<',
        '=',
        '',
        'é😀',
        'yes',
        'null',
        '1',
        '2024-02-03',
        '1e5',
        '~',
        ' x ',
        'a: b',
        '- c',
        'it\'s\n"x"\t',
      ],
      numbers: [0, -1, 1.5, 1e21, 1e-7, 2 ** 40, -(2 ** 40), 2 ** 53 - 1],
      others: [true, false, null, [], {}],
      '<<': { y: 1, '=': 2, '': 3 },
    }
    expect(roundTrip(value)).toEqual(value)
  })

  it('Must 4.8: keeps integers beyond 2^53', () => {
    expect(roundTrip([2n ** 63n, -(2n ** 60n), 5n])).toEqual([2n ** 63n, -(2n ** 60n), 5])
  })

  it('keeps bytes', () => {
    expect(Buffer.from(roundTrip(new Uint8Array([0, 255])) as Uint8Array)).toEqual(Buffer.from([0, 255]))
  })

  it('writes UUIDs and decimals so that they come back as text', () => {
    const text = '12345678-1234-5678-1234-567812345678'
    expect(roundTrip([new Uuid(text), new Decimal('12.340')])).toEqual([text, '12.340'])
  })

  it('refuses what it cannot hold, and what is damaged, with its own errors', () => {
    expect(() => serializer.encode({ a: [() => 1] })).toThrow(EncodeError)
    expect(() => serializer.encode({ a: [() => 1] })).toThrow(/^a\[0\] is a function/)
    for (const payload of [[0xc1], [0x7b, 0x5b], [0x22, 0xff, 0x22], [0x93, 1]]) {
      expect(() => serializer.decode(new Uint8Array(payload))).toThrow(UndecodableBodyError)
    }
  })
})

it('YAML reads dates as PyYAML does, and never anything but data', () => {
  const yaml = serializerNamed('yaml')
  expect(yaml.decode(Buffer.from('at: 2024-02-03 04:05:06\non: yes\n'))).toEqual({
    at: new Date('2024-02-03T04:05:06Z'),
    true: true,
  })
  for (const text of ['!!python/object/apply:os.system ["true"]', '!!python/name:os.system', 'a: [1', '*x']) {
    expect(() => yaml.decode(Buffer.from(text)), text).toThrow(UndecodableBodyError)
  }
  const bomb = `a: &a [x]\n${Array.from(
    { length: 12 },
    (_, i) =>
      `b${i}: &b${i} [${Array(9)
        .fill(i === 0 ? '*a' : `*b${i - 1}`)
        .join(',')}]`,
  ).join('\n')}`
  expect(() => yaml.decode(Buffer.from(bomb))).toThrow(UndecodableBodyError)
})

it('YAML writes exponents with a point, without which PyYAML reads text', () => {
  expect(serializerNamed('yaml').encode([1e21, 1.5e-7, -2e-9])).toBe('- 1.0e+21\n- 1.5e-7\n- -2.0e-9\n')
})

it('Must 4.8: msgpack writes long integers as integers, not as floats', () => {
  const msgpack = serializerNamed('msgpack')
  expect([...bytes(msgpack.encode(2 ** 40))]).toEqual([0xcf, 0, 0, 1, 0, 0, 0, 0, 0])
  expect(bytes(msgpack.encode(-(2 ** 40)))[0]).toBe(0xd3)
})

it('msgpack writes dates as ISO text, and refuses integers beyond 64 bits', () => {
  const msgpack = serializerNamed('msgpack')
  const date = new Date('2024-02-03T04:05:06.789Z')
  expect(msgpack.decode(bytes(msgpack.encode([date])))).toEqual(['2024-02-03T04:05:06.789000+00:00'])
  expect(() => msgpack.encode([2n ** 64n])).toThrow('[0] is 18446744073709551616: msgpack has 64 bits')
})

it('Section 4.4: application/data and application/text are always accepted, pickle never', () => {
  expect([...resolveAcceptContent([]).keys()]).toEqual(['application/data', 'application/text'])
  expect([...resolveAcceptContent(['json', 'application/x-yaml']).keys()].slice(2)).toEqual([
    'application/json',
    'application/x-yaml',
  ])
  for (const name of ['pickle', 'application/x-python-serialize', 'xml', '']) {
    expect(() => resolveAcceptContent([name])).toThrow(InvalidArgumentError)
    expect(() => serializerNamed(name)).toThrow(InvalidArgumentError)
    expect(() => serializerForContentType(name)).toThrow(
      expect.objectContaining({ code: 'CONTENT_DISALLOWED' }),
    )
  }
})

it('Section 10.7: reads results stored by yaml and msgpack', () => {
  for (const folder of ['celery-5.2.6', 'celery-5.6.3']) {
    for (const { label = '', keys = {} } of scenario(folder, 'result_serializers')) {
      const name = /result_serializer=(yaml|msgpack)/.exec(label)?.[1]
      if (name === undefined) continue
      const stored = Object.values(keys)[0]?.value as string | { b64: string }
      const payload = typeof stored === 'string' ? Buffer.from(stored) : Buffer.from(stored.b64, 'base64')
      const status = label.includes('SUCCESS') ? 'SUCCESS' : 'FAILURE'
      expect(serializerNamed(name).decode(payload), label).toMatchObject({ status, children: [] })
    }
  }
})
