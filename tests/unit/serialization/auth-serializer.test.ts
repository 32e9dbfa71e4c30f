import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  certificateId,
  createAuthSerializer,
  type AuthSerializerOptions,
  type SigningIdentity,
} from '../../../src/serialization/auth-serializer.js'
import { makeSigner } from '../../support/certificates.js'
import type { Serializer } from '../../../src/serialization/serializers.js'

const DAY_MS = 86_400_000

async function identityOf(subject: string): Promise<SigningIdentity> {
  const { key, certificate } = await makeSigner(subject)
  return {
    key: createPrivateKey(await readFile(key)),
    certificate: new X509Certificate(await readFile(certificate)),
  }
}

describe('row 48: the serializer auth', () => {
  let identity: SigningIdentity
  let stranger: SigningIdentity

  beforeAll(async () => {
    ;[identity, stranger] = await Promise.all([identityOf('/O=Acme/CN=billing'), identityOf('/CN=stranger')])
  })

  const serializer = (options: Partial<AuthSerializerOptions> = {}): Serializer =>
    createAuthSerializer({
      identity,
      trusted: [identity.certificate],
      digest: 'sha256',
      layout: 'celery-5.5',
      form: 'tagged',
      ...options,
    })
  const signed = (value: unknown, options?: Partial<AuthSerializerOptions>): string =>
    serializer(options).encode(value) as string
  const decode = (text: string, options?: Partial<AuthSerializerOptions>): unknown =>
    serializer(options).decode(Buffer.from(text))
  const refused = (message: RegExp): object =>
    expect.objectContaining({
      code: 'UNTRUSTED_MESSAGE',
      message: expect.stringMatching(message) as string,
    }) as object

  it.each(['celery-5.5', 'celery-5.2'] as const)('reads what it wrote in the layout of %s', (layout) => {
    const value = [[1, 'ü\u0000\u0001'], { when: new Date(0) }, null]
    expect(decode(signed(value, { layout }))).toEqual(value)
    expect(decode(signed(value, { layout, digest: 'sha512' }), { digest: 'sha512' })).toEqual(value)
  })

  it('writes what Celery writes: base64 of five fields, separated', () => {
    const fields = Buffer.from(signed([1]), 'base64')
      .toString('latin1')
      .split('\x00\x01')
    expect(fields).toHaveLength(5)
    const [signer = '', signature = '', ...rest] = fields
    expect(Buffer.from(signer, 'base64').toString()).toBe(certificateId(identity.certificate))
    expect(Buffer.from(signature, 'base64')).toHaveLength(256)
    expect(rest).toEqual(['application/json', 'utf-8', '[1]'])
  })

  it.each(['celery-5.5', 'celery-5.2'] as const)('refuses a changed body in the layout of %s', (layout) => {
    const bytes = Buffer.from(signed([1], { layout }), 'base64')
    bytes[bytes.length - 2] = '2'.charCodeAt(0)
    expect(() => decode(bytes.toString('base64'))).toThrow(
      refused(/not signed by Acme billing \d+, or changed/),
    )
  })

  it('refuses a signer whom nobody trusts', () => {
    const theirs = signed([1], { identity: stranger, trusted: [stranger.certificate] })
    expect(() => decode(theirs)).toThrow(refused(/no certificate in securityCertStore .*stranger/))
    // In the name of somebody else.
    const posing = signed([1], { identity: { key: stranger.key, certificate: identity.certificate } })
    expect(() => decode(posing)).toThrow(refused(/not signed by Acme billing/))
  })

  it('refuses a certificate that has expired meanwhile', () => {
    const text = signed([1])
    const later = { now: () => Date.now() + 3 * DAY_MS }
    expect(() => decode(text, later)).toThrow(refused(/Acme billing \d+ that signed it expired/))
  })

  it.each([
    ['nothing', ''],
    ['plain JSON', '[[1], {}, null]'],
    ['a field alone', Buffer.from('QWNtZQ==').toString('base64')],
    ['too few fields', Buffer.from('QWNtZQ==\x00\x01x').toString('base64')],
  ])('refuses %s', (_, text) => {
    expect(() => decode(text)).toThrow(refused(/./))
  })

  it('never decodes a pickle, however well it is signed', () => {
    const [signer, signature, , ...rest] = Buffer.from(signed([1]), 'base64')
      .toString('latin1')
      .split('\x00\x01')
    const pickle = [signer, signature, 'application/x-python-serialize', ...rest].join('\x00\x01')
    expect(() => decode(Buffer.from(pickle, 'latin1').toString('base64'))).toThrow(
      expect.objectContaining({ code: 'CONTENT_DISALLOWED' }),
    )
  })

  it('does not sign without a key', () => {
    expect(() => signed([1], { identity: undefined })).toThrow(/needs securityKey and securityCertificate/)
  })

  it('knows certificates by issuer and serial number, whatever the name holds', async () => {
    const { certificate } = await identityOf('/C=DE/O=Müller, Söhne \\+ Co\\/KG/OU=a=b+L=Ulm/CN="x" #1')
    const id = certificateId(certificate)
    expect(id).toBe(`DE Müller, Söhne + Co/KG Ulm a=b "x" #1 ${BigInt(`0x${certificate.serialNumber}`)}`)
  })
})
