import { describe, expect, it } from 'vitest'
import { skipValue } from '../../../src/serialization/json-scanner.js'
import { decodeBody } from '../../../src/serialization/decode-body.js'
import { parseEnvelope, readDeliveryInfo } from '../../../src/serialization/envelope.js'
import { resolveAcceptContent } from '../../../src/serialization/serializers.js'
import { decodeTaskMessage } from '../../../src/serialization/task-message.js'
import { recordedTexts, type Recorded } from './vectors.js'

const acceptContent = resolveAcceptContent(['json', 'yaml', 'msgpack'])

interface WireEnvelope {
  body: string
  'content-type': string
  headers: Record<string, unknown>
  properties: Record<string, unknown> & { delivery_info: { exchange: string; routing_key: string } }
}

/** Lists hold envelopes; `unacked` holds them as the first element of a record. */
function recordedEnvelopes(): Recorded[] {
  const records = recordedTexts('[{"body"').map((recorded) => ({
    ...recorded,
    text: recorded.text.slice(1, skipValue(recorded.text, 1)),
    parsed: undefined,
  }))
  return [...recordedTexts('{"body"'), ...records]
}

const envelopes = recordedEnvelopes()

/** Read by nothing of ours. */
function readWire(text: string): WireEnvelope {
  return JSON.parse(text) as WireEnvelope
}

function isPlainJson(wire: WireEnvelope): boolean {
  return wire['content-type'] === 'application/json' && wire.headers['compression'] === undefined
}

describe('every recorded envelope', () => {
  it('is found', () => {
    expect(envelopes.length).toBeGreaterThan(1000)
  })

  it('parses to its own members', () => {
    for (const { where, text, parsed } of envelopes) {
      const envelope = parseEnvelope(text)
      const wire = readWire(text)
      expect(envelope.body, where).toBe(wire.body)
      expect(envelope.contentType, where).toBe(wire['content-type'])
      expect(envelope.headers, where).toEqual(wire.headers)
      expect(envelope.properties, where).toEqual(wire.properties)
      if (parsed?.json !== undefined) expect(wire, where).toEqual(parsed.json)
    }
  })

  it('tells its delivery without being parsed', () => {
    for (const { where, text } of envelopes) {
      const { properties } = readWire(text)
      expect(readDeliveryInfo(text), where).toEqual({
        deliveryTag: properties['delivery_tag'],
        exchange: properties.delivery_info.exchange,
        routingKey: properties.delivery_info.routing_key,
        priority: properties['priority'],
      })
    }
  })

  it('has a body that decodes to what the recorder saw', () => {
    let compared = 0
    for (const { where, text, parsed } of envelopes) {
      const wire = readWire(text)
      const bodyText = Buffer.from(wire.body, 'base64').toString('utf8')
      if (!isPlainJson(wire) || bodyText.includes('__type__')) continue
      const body = decodeBody(parseEnvelope(text), acceptContent)
      expect(body, where).toEqual(JSON.parse(bodyText))
      if (parsed?.body?.json !== undefined) expect(body, where).toEqual(parsed.body.json)
      compared++
    }
    expect(compared).toBeGreaterThan(900)
  })

  it('of a task decodes to the fields of its headers', () => {
    let compared = 0
    for (const { where, text } of envelopes) {
      const wire = readWire(text)
      if (!('task' in wire.headers) || wire['content-type'] === 'application/x-python-serialize') continue
      const compression = wire.headers['compression']
      if (compression === 'application/x-bz2' || compression === 'application/x-lzma') continue
      const message = decodeTaskMessage(parseEnvelope(text), { acceptContent })
      const { headers, properties } = wire
      expect(message, where).toMatchObject({
        id: headers['id'],
        task: headers['task'],
        retries: headers['retries'],
        rootId: headers['root_id'],
        parentId: headers['parent_id'] ?? undefined,
        group: headers['group'] ?? undefined,
        groupIndex: headers['group_index'] ?? undefined,
        ignoreResult: headers['ignore_result'],
        argsrepr: headers['argsrepr'],
        kwargsrepr: headers['kwargsrepr'],
        origin: headers['origin'],
        replyTo: properties['reply_to'],
        correlationId: properties['correlation_id'],
        priority: properties['priority'],
        isRedelivered: headers['redelivered'] ?? false,
      })
      expect([message.hardTimeLimit ?? null, message.softTimeLimit ?? null], where).toEqual(
        headers['timelimit'],
      )
      for (const name of ['eta', 'expires'] as const) {
        const text = headers[name] as string | null
        const hasOffset = text !== null && /[+-]\d\d:\d\d$/.test(text)
        expect(message[name]?.getTime(), where).toEqual(
          text === null ? undefined : Date.parse(hasOffset ? text : `${text}Z`),
        )
      }
      compared++
    }
    expect(compared).toBeGreaterThan(600)
  })

  it('of a task hands over args, kwargs and what follows', () => {
    for (const { where, text } of envelopes) {
      const wire = readWire(text)
      const bodyText = Buffer.from(wire.body, 'base64').toString('utf8')
      if (!('task' in wire.headers) || !isPlainJson(wire) || bodyText.includes('__type__')) continue
      const [args, kwargs, embed] = JSON.parse(bodyText) as [unknown, unknown, Record<string, unknown>]
      const message = decodeTaskMessage(parseEnvelope(text), { acceptContent })
      expect(message.args, where).toEqual(args)
      expect(message.kwargs, where).toEqual(kwargs)
      expect(message.callbacks, where).toEqual(embed['callbacks'] ?? [])
      expect(message.errbacks, where).toEqual(embed['errbacks'] ?? [])
      expect(message.chain, where).toEqual(embed['chain'] ?? [])
      expect(message.chord ?? null, where).toEqual(embed['chord'])
    }
  })
})
