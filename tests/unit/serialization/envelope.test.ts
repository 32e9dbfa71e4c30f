import { describe, expect, it } from 'vitest'
import {
  BadEnvelopeError,
  ContentDisallowedError,
  UndecodableBodyError,
} from '../../../src/serialization/errors.js'
import { decodeBody } from '../../../src/serialization/decode-body.js'
import { envelopeBytes, formatEnvelope } from '../../../src/serialization/format-envelope.js'
import { markRedelivered } from '../../../src/serialization/mark-redelivered.js'
import { parseEnvelope, readDeliveryInfo } from '../../../src/serialization/envelope.js'
import { resolveAcceptContent } from '../../../src/serialization/serializers.js'
import { randomNumbers } from './random.js'
import { pushedMessages, scenario } from './vectors.js'

const accept = resolveAcceptContent(['json'])

const outgoing = {
  payload: '[1]',
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  exchange: 'celeryev',
  routingKey: 'task.multi',
}

/** A message as text, with some members replaced; undefined removes one. */
function message(changes: Record<string, unknown> = {}, properties: Record<string, unknown> = {}): string {
  return JSON.stringify({
    body: 'WzFd',
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: { id: 'i1' },
    properties: {
      delivery_tag: 't1',
      delivery_info: { exchange: '', routing_key: 'q' },
      body_encoding: 'base64',
      priority: 0,
      ...properties,
    },
    ...changes,
  })
}

describe('formatEnvelope', () => {
  it('Must 2.1: writes all five fields and the properties a consumer needs', () => {
    const written = JSON.parse(formatEnvelope({ ...outgoing, properties: { correlation_id: 'c' } })) as {
      properties: Record<string, unknown>
    }
    expect(written).toEqual({
      body: 'WzFd',
      'content-encoding': 'utf-8',
      'content-type': 'application/json',
      headers: {},
      properties: {
        correlation_id: 'c',
        delivery_mode: 2,
        delivery_info: { exchange: 'celeryev', routing_key: 'task.multi' },
        priority: 0,
        body_encoding: 'base64',
        delivery_tag: written.properties['delivery_tag'],
      },
    })
  })

  it('Must 2.2: gives every message a UUID4 of its own as delivery tag', () => {
    const tags = Array.from({ length: 50 }, () => readDeliveryInfo(formatEnvelope(outgoing)).deliveryTag)
    expect(new Set(tags).size).toBe(50)
    for (const tag of tags)
      expect(tag).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it('Must 2.3: writes base64, for text beyond ASCII and for bytes', () => {
    for (const payload of ['"é😀"', new Uint8Array([255, 0, 1]).subarray(1)]) {
      const envelope = parseEnvelope(formatEnvelope({ ...outgoing, payload }))
      expect(envelope.properties['body_encoding']).toBe('base64')
      expect(Buffer.from(envelope.body, 'base64')).toEqual(Buffer.from(payload as string))
    }
  })

  it('names the header that cannot be written', () => {
    expect(() => formatEnvelope({ ...outgoing, headers: { 'x-rate': NaN } })).toThrow(
      'headers["x-rate"] is NaN',
    )
    expect(() => formatEnvelope({ ...outgoing, priority: NaN })).toThrow('priority is NaN')
  })

  it('is read back as it was meant', () => {
    const envelope = parseEnvelope(
      formatEnvelope({ ...outgoing, headers: { hostname: 'w1' }, priority: 6, deliveryMode: 1 }),
    )
    expect(envelope).toMatchObject({
      headers: { hostname: 'w1' },
      properties: { priority: 6, delivery_mode: 1 },
    })
    expect(decodeBody(envelope, accept)).toEqual([1])
  })
})

describe('envelopeBytes', () => {
  it('are those of the text', () => {
    const envelope = { ...outgoing, headers: { hostname: 'wörker' }, deliveryTag: 'tag' }
    for (const payload of ['', '[[1], {}, {}]', Buffer.from([0, 255, 128])])
      expect(envelopeBytes({ ...envelope, payload }).toString()).toBe(
        formatEnvelope({ ...envelope, payload }),
      )
  })
})

describe('parseEnvelope', () => {
  it('Must 2.5: tolerates what is missing, null or unknown', () => {
    for (const [text, expected] of [
      [message({}, { priority: undefined }), { properties: { priority: 0 } }],
      [message({}, { priority: '5' }), { properties: { priority: 5 } }],
      [message({}, { priority: 'high' }), { properties: { priority: 0 } }],
      [message({ headers: null }), { headers: {} }],
      [message({ headers: undefined }), { headers: {} }],
      [
        message({}, { delivery_info: { routing_key: 'q' } }),
        { properties: { delivery_info: { exchange: '', routing_key: 'q' } } },
      ],
      [
        message({}, { delivery_info: undefined }),
        { properties: { delivery_info: { exchange: '', routing_key: '' } } },
      ],
      [message({ 'content-encoding': undefined }), { contentEncoding: 'utf-8' }],
      [message({ more: 1 }, { app_id: 'me' }), { properties: { app_id: 'me' } }],
    ] as const) {
      expect(parseEnvelope(text), text).toMatchObject(expected)
    }
  })

  it('Must 2.6: has one error for all that is no envelope', () => {
    for (const text of [
      'this is not json',
      '',
      '[]',
      'null',
      message({ body: undefined }),
      message({ body: { a: 1 } }),
      message({ 'content-type': undefined }),
      message({ properties: undefined }),
      message({ headers: 5 }),
      message({}, { delivery_tag: undefined }),
      message({}, { delivery_tag: '' }),
    ]) {
      expect(() => parseEnvelope(text), text).toThrow(BadEnvelopeError)
    }
    expect(() => parseEnvelope(message({ body: 5 }))).toThrow(
      "the message's body must be a string, got number 5",
    )
  })

  it('reads raw UTF-8 and any formatting', () => {
    const text = JSON.stringify(JSON.parse(message({ headers: { name: 'é' } })), undefined, 3)
    expect(parseEnvelope(text).headers).toEqual({ name: 'é' })
  })
})

describe('decodeBody', () => {
  it('Must 2.4: takes body_encoding in any case, and none or utf-8 for plain text', () => {
    for (const encoding of ['base64', 'BASE64', 'Base64']) {
      expect(decodeBody(parseEnvelope(message({}, { body_encoding: encoding })), accept)).toEqual([1])
    }
    for (const encoding of [undefined, null, 'utf-8', 'UTF-8']) {
      expect(
        decodeBody(parseEnvelope(message({ body: '["é"]' }, { body_encoding: encoding })), accept),
      ).toEqual(['é'])
    }
    for (const encoding of ['quoted-printable', '', 5]) {
      expect(() => decodeBody(parseEnvelope(message({}, { body_encoding: encoding })), accept)).toThrow(
        UndecodableBodyError,
      )
    }
  })

  it('Must 4.7: refuses what is not accepted, and pickle always, naming type, alternatives and task', () => {
    const pickle = scenario('celery-5.6.3', 'serializers')
      .flatMap((record) => (record.argv?.[0] === 'LPUSH' ? [record.argv[2] as string] : []))
      .filter((text) => text.includes('python-serialize'))
    expect(pickle.length).toBeGreaterThan(0)
    for (const text of pickle) {
      const envelope = parseEnvelope(text)
      const refused = { code: 'CONTENT_DISALLOWED', taskId: envelope.headers['id'] }
      expect(() => decodeBody(envelope, accept)).toThrow(expect.objectContaining(refused))
      expect(() => decodeBody(envelope, accept)).toThrow(/x-python-serialize.*application\/json/)
      expect(() => decodeBody(envelope, accept)).toThrow(/never decoded/)
    }
    const yaml = parseEnvelope(message({ 'content-type': 'application/x-yaml' }))
    expect(() => decodeBody(yaml, accept)).toThrow(ContentDisallowedError)
    expect(decodeBody(yaml, resolveAcceptContent(['application/x-yaml']))).toEqual([1])
  })

  it('accepts raw bytes and text whatever the setting says', () => {
    const raw = parseEnvelope(message({ 'content-type': 'application/data', body: '/wA=' }))
    expect(decodeBody(raw, resolveAcceptContent([]))).toEqual(Buffer.from([255, 0]))
    const text = parseEnvelope(message({ 'content-type': 'application/text', body: 'YWJj' }))
    expect(decodeBody(text, resolveAcceptContent([]))).toBe('abc')
  })

  it('notices damage, and names the task', () => {
    for (const changes of [
      { body: 'WzFd'.slice(0, 3) },
      { body: 'Wz*d' },
      { body: 'WzE=' },
      { body: Buffer.from([0x22, 0xff, 0x22]).toString('base64') },
      { headers: { id: 'i1', compression: 'application/x-gzip' } },
      { body: '' },
    ]) {
      expect(() => decodeBody(parseEnvelope(message(changes)), accept), JSON.stringify(changes)).toThrow(
        expect.objectContaining({ code: 'UNDECODABLE_BODY' }),
      )
    }
    expect(() => decodeBody(parseEnvelope(message({ body: 'Wz' })), accept)).toThrow(
      expect.objectContaining({ taskId: 'i1' }),
    )
  })

  it('reads base64 with line breaks, and a replacement character that was sent as such', () => {
    expect(decodeBody(parseEnvelope(message({ body: 'Wz\nFd\n' })), accept)).toEqual([1])
    const body = Buffer.from('["\ufffd"]').toString('base64')
    expect(decodeBody(parseEnvelope(message({ body })), accept)).toEqual(['\ufffd'])
  })
})

describe('markRedelivered', () => {
  it('Must 7.4: sets both flags as the recorded restores have them', () => {
    const restored = scenario('celery-5.6.3', 'ack_visibility_restore')
      .flatMap((record) => (record.argv?.[0] === 'RPUSH' ? [record.argv[2] as string] : []))
      .filter((text) => text.includes('"redelivered": true'))
    expect(restored.length).toBeGreaterThan(0)
    for (const text of restored) {
      const before = text.replaceAll(', "redelivered": true', '')
      expect(before).not.toContain('redelivered')
      expect(markRedelivered(before)).toBe(text)
      expect(markRedelivered(text)).toBe(text)
    }
  })

  it('Must 2.7: changes no other character of any message', () => {
    const odd = String.raw`{ "headers" : {"big":12345678901234567890,"f":1.0,"e":1E5,"s":"\u00e9\"}{"} ,
      "properties":{"delivery_info":{ },"x":[{"redelivered":false}]},"unknown":"headers","a":-0.0}`
    expect(markRedelivered(odd)).toBe(
      odd.replace('}{"}', '}{", "redelivered": true}').replace('{ }', '{ "redelivered": true}'),
    )
  })

  it('does not set a flag where headers or delivery_info is missing', () => {
    for (const text of [
      '{"headers":null,"properties":{}}',
      '{"properties":null}',
      '{}',
      '{"headers":"{}","properties":{"delivery_info":null}}',
    ]) {
      expect(markRedelivered(text)).toBe(text)
    }
    expect(() => markRedelivered('not json')).toThrow(BadEnvelopeError)
    expect(() => markRedelivered('{"headers":{"a":"')).toThrow(BadEnvelopeError)
  })

  it('takes the last of repeated members, and names however they are escaped, as JSON readers do', () => {
    const text = String.raw`{"headers":{"a":1},"h\u0065aders":{"redelivered":0,"redelivered":1},"properties":{}}`
    expect(JSON.parse(markRedelivered(text))).toMatchObject({ headers: { redelivered: true } })
  })

  it('agrees with parsing, setting and writing, on random messages', () => {
    const random = randomNumbers(3)
    for (let round = 0; round < 3000; round++) {
      const envelope = randomEnvelope(random)
      const text = JSON.stringify(envelope, undefined, round % 3)
      const expected = JSON.parse(text) as ReturnType<typeof randomEnvelope>
      if (isObject(expected['headers'])) expected['headers']['redelivered'] = true
      const { properties } = expected
      if (isObject(properties) && isObject(properties['delivery_info'])) {
        properties['delivery_info']['redelivered'] = true
      }
      expect(JSON.parse(markRedelivered(text))).toEqual(expected)
    }
  })
})

describe('readDeliveryInfo', () => {
  it('is not misled by a header or text of the same name', () => {
    const [pushed] = pushedMessages('celery-5.6.3', 'publish_plain')
    const wire = JSON.parse(pushed?.text ?? '') as Record<string, Record<string, unknown>>
    const text = JSON.stringify({
      ...wire,
      headers: { properties: { delivery_tag: 'wrong' }, s: '"properties":{"' },
    })
    expect(readDeliveryInfo(text).deliveryTag).toBe(wire['properties']?.['delivery_tag'])
  })

  it('insists on a delivery tag only', () => {
    expect(readDeliveryInfo('{"properties":{"delivery_tag":"t"}}')).toEqual({
      deliveryTag: 't',
      exchange: '',
      routingKey: '',
      priority: 0,
    })
    for (const text of ['', 'null', '{}', '{"properties":{}}', '{"properties":{"delivery_tag":5}}']) {
      expect(() => readDeliveryInfo(text)).toThrow(BadEnvelopeError)
    }
  })
})

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function randomEnvelope(random: () => number): Record<string, unknown> {
  const pick = (...choices: readonly unknown[]): unknown => choices[Math.floor(random() * choices.length)]
  const leaf = (): unknown =>
    pick('{"redelivered":', '\\"', '}', 'é\n', 0, -1.5, null, true, [], {}, ['[', { a: '"' }])
  const object = (...names: string[]): Record<string, unknown> =>
    Object.fromEntries(names.filter(() => random() < 0.6).map((name) => [name, leaf()]))
  return {
    ...object('body', 'a"b', 'x\\'),
    ...(random() < 0.8 && { headers: pick(object('id', 'redelivered', 'headers'), null, 'text', []) }),
    ...object('unknown', 'redelivered'),
    properties: pick(
      { ...object('p', 'priority'), delivery_info: pick(object('exchange', 'redelivered'), null, {}) },
      object('delivery_tag'),
    ),
    ...object('last'),
  }
}
