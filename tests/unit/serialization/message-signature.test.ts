import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { markRedelivered } from '../../../src/serialization/mark-redelivered.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { createMessageSigner, SIGNATURE_HEADER } from '../../../src/serialization/message-signature.js'
import { resolveAcceptContent } from '../../../src/serialization/serializers.js'
import { encodeTaskMessage } from '../../../src/serialization/outgoing-task.js'
import { decodeTaskMessage } from '../../../src/serialization/task-message.js'

const SECRET = 'a secret of more than thirty-two characters'
const OTHER = 'another secret of more than thirty-two characters'
const signer = createMessageSigner([SECRET])

function signedMessage(secrets = [SECRET]): string {
  return encodeTaskMessage({
    id: 'id-1',
    task: 'orders.größe',
    args: [1, 'ü'],
    queue: 'celery',
    eta: new Date('2026-11-21T10:00:00Z'),
    retries: 2,
    compression: 'zlib',
    signer: createMessageSigner(secrets),
  })
}

type Bendable = Record<'headers' | 'properties', Record<string, unknown>> & Record<string, unknown>

function bent(change: (message: Bendable) => void): string {
  const message = JSON.parse(signedMessage()) as Bendable
  change(message)
  return JSON.stringify(message)
}

const verify = (text: string): void => signer.verify(parseEnvelope(text))

describe('row 48: a message signed with a shared secret', () => {
  it('holds, also after it was restored', () => {
    const text = signedMessage()
    verify(text)
    verify(markRedelivered(text))
  })

  it('is an HMAC-SHA256 over lengths and parts, in the documented order', () => {
    const text = encodeTaskMessage({ id: 'i', task: 't', args: ['ü'], queue: 'q', signer })
    const body = '[["\\u00fc"],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'
    const { body: sent } = parseEnvelope(text)
    const payload = Buffer.from(sent, 'base64').toString()
    expect(JSON.parse(payload)).toEqual(JSON.parse(body))
    const length = Buffer.byteLength(payload)
    const covered = `1:116:application/json5:utf-80:1:q1:t1:i1:i0:0:0:1:00:0:0:${length}:${payload}`
    const expected = createHmac('sha256', SECRET).update(covered).digest('hex')
    expect(parseEnvelope(text).headers[SIGNATURE_HEADER]).toBe(`v1=${expected}`)
  })

  it.each<[string, (message: Bendable) => void]>([
    ['its body', (message) => (message['body'] = Buffer.from('[[2], {}, null]').toString('base64'))],
    ['its content type', (message) => (message['content-type'] = 'application/x-yaml')],
    ['its content encoding', (message) => (message['content-encoding'] = 'binary')],
    ['its task', ({ headers }) => (headers['task'] = 'orders.delete')],
    ['its id', ({ headers }) => (headers['id'] = 'id-2')],
    ['its root id', ({ headers }) => (headers['root_id'] = 'id-2')],
    ['its parent id', ({ headers }) => (headers['parent_id'] = 'id-2')],
    ['its group', ({ headers }) => (headers['group'] = 'g')],
    ['its place in the group', ({ headers }) => (headers['group_index'] = 1)],
    ['its retries', ({ headers }) => (headers['retries'] = 0)],
    ['its ETA', ({ headers }) => (headers['eta'] = null)],
    ['its expiry', ({ headers }) => (headers['expires'] = '2026-11-22T10:00:00+00:00')],
    ['its compression', ({ headers }) => delete headers['compression']],
    ['its queue', ({ properties }) => (properties['delivery_info'] = { exchange: '', routing_key: 'admin' })],
    [
      'its exchange',
      ({ properties }) => (properties['delivery_info'] = { exchange: 'x', routing_key: 'celery' }),
    ],
    ['its signature', ({ headers }) => (headers[SIGNATURE_HEADER] = `v1=${'0'.repeat(64)}`)],
    ['a part of its signature', ({ headers }) => (headers[SIGNATURE_HEADER] = 'v1=')],
    ['where one part ends', ({ headers }) => Object.assign(headers, { task: 'orders.größei', id: 'd-1' })],
  ])('is refused once %s changed', (_, change) => {
    expect(() => verify(bent(change))).toThrow(expect.objectContaining({ code: 'UNTRUSTED_MESSAGE' }))
  })

  it('is refused where another secret signed it, or none', () => {
    expect(() => verify(signedMessage([OTHER]))).toThrow(/none of messageSecrets/)
    const unsigned = bent(({ headers }) => delete headers[SIGNATURE_HEADER])
    expect(() => verify(unsigned)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/is not signed/) as string, taskId: 'id-1' }),
    )
    expect(() => verify(bent(({ headers }) => (headers[SIGNATURE_HEADER] = 5)))).toThrow(/is not signed/)
  })

  it('may be signed with any secret of several, of which the first one signs', () => {
    const both = createMessageSigner([SECRET, OTHER])
    both.verify(parseEnvelope(signedMessage([OTHER])))
    both.verify(parseEnvelope(signedMessage([SECRET])))
    expect(() => verify(signedMessage([OTHER, SECRET]))).toThrow(/none of messageSecrets/)
  })

  it("does not show its signature among the caller's headers, which a retry would send again", () => {
    const accept = { acceptContent: resolveAcceptContent(['json']) }
    expect(decodeTaskMessage(parseEnvelope(signedMessage()), accept).headers).toEqual({})
  })
})
