import { Buffer } from 'node:buffer'
import { constants, sign, verify, type KeyObject, type X509Certificate } from 'node:crypto'
import { EncodeError, UntrustedMessageError } from './errors.js'
import { formatJson, type JsonForm } from './json.js'
import { serializerForContentType, type Serializer } from './serializers.js'

/** What is needed to sign: the settings `security_key` and `security_certificate`. */
export interface SigningIdentity {
  /** A private RSA key. */
  readonly key: KeyObject
  /** Of the same key; peers find it in their store by its issuer and serial number. */
  readonly certificate: X509Certificate
}

export interface AuthSerializerOptions {
  /** Undefined: messages are verified only, and sending one is refused. */
  readonly identity: SigningIdentity | undefined
  /** RSA certificates of all who may send: the setting `security_cert_store`. */
  readonly trusted: readonly X509Certificate[]
  /** Hash of the signatures: the setting `security_digest`. */
  readonly digest: 'sha224' | 'sha256' | 'sha384' | 'sha512'
  /** How the fields are packed: Celery did it otherwise before 5.5. Both are read. */
  readonly layout: 'celery-5.5' | 'celery-5.2'
  readonly form: JsonForm
  /** Unix milliseconds. @default the present */
  readonly now?: () => number
}

const SEPARATOR = Buffer.from('\x00\x01')

/**
 * Celery's serializer `auth`: JSON with the signature of whoever sent it (RSA-PSS by an X.509 certificate).
 *
 * The signature covers the body, so arguments and callbacks, and none of the headers: neither the task's name nor
 * its id, ETA or expiry. The message signature of message-signature.ts covers those as well.
 *
 * Decoding throws {@link UntrustedMessageError} unless a trusted certificate that has not expired signed the
 * bytes; nothing of the body was decoded then. A pickle that is signed well is refused all the same.
 */
export function createAuthSerializer(options: AuthSerializerOptions): Serializer {
  const { identity, digest, form, now = Date.now } = options
  const trusted = new Map(options.trusted.map((certificate) => [certificateId(certificate), certificate]))
  const signerId = identity === undefined ? undefined : Buffer.from(certificateId(identity.certificate))

  return {
    name: 'auth',
    contentType: 'application/data',
    contentEncoding: 'utf-8',

    encode(value) {
      if (identity === undefined || signerId === undefined) {
        throw new EncodeError('the serializer auth needs securityKey and securityCertificate to sign with')
      }
      const body = Buffer.from(formatJson(value, form))
      const signature = sign(digest, body, {
        key: identity.key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN,
      })
      const isPacked = options.layout === 'celery-5.2'
      const fields = [
        isPacked ? signerId : inBase64(signerId),
        isPacked ? signature : inBase64(signature),
        Buffer.from('application/json'),
        Buffer.from('utf-8'),
        body,
      ]
      const parts = fields.flatMap((field, i) => (i === 0 ? [field] : [SEPARATOR, field]))
      return Buffer.concat(parts).toString('base64')
    },

    decode(payload) {
      const fields = Buffer.from(Buffer.from(payload).toString('latin1'), 'base64')
      const first = takeField(fields, 0)
      const { certificate, layout } = findSigner(trusted, first.field)
      const id = certificateId(certificate)
      if (now() >= Date.parse(certificate.validTo)) {
        throw new UntrustedMessageError(`the certificate ${id} that signed it expired ${certificate.validTo}`)
      }
      const signed =
        layout === 'celery-5.2'
          ? takeBytes(fields, first.next, signatureLength(certificate))
          : takeField(fields, first.next)
      const signature = layout === 'celery-5.2' ? signed.field : fromBase64(signed.field)
      const contentType = takeField(fields, signed.next)
      const body = fields.subarray(takeField(fields, contentType.next).next)
      const key = {
        key: certificate.publicKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_AUTO,
      }
      if (!verify(digest, body, key, signature)) {
        throw new UntrustedMessageError(`its body was not signed by ${id}, or changed afterwards`)
      }
      return serializerForContentType(contentType.field.toString()).decode(body)
    },
  }
}

/**
 * What Celery calls a certificate by: the values of its issuer and its serial number, separated by spaces.
 *
 * @see Celery 5.6, `security/certificate.py`: `Certificate.get_id`
 */
export function certificateId(certificate: X509Certificate): string {
  const issuer = certificate.issuer.split('\n').flatMap((line) => line.split(' + ').map(attributeValue))
  return `${issuer.join(' ')} ${BigInt(`0x${certificate.serialNumber}`)}`
}

/** `O=Smith\, Jones` is how Node.js shows an attribute of a name: RFC 2253's escapes, with UTF-8 as it is. */
function attributeValue(attribute: string): string {
  const value = attribute.slice(attribute.indexOf('=') + 1)
  return value.replace(/\\(?:([0-9A-Fa-f]{2})|(.))/g, (_, hex: string | undefined, char: string) =>
    hex === undefined ? char : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** In the newer layout the name is in base64, which has no space; in the older one it always has one. */
function findSigner(
  trusted: ReadonlyMap<string, X509Certificate>,
  field: Buffer,
): { certificate: X509Certificate; layout: AuthSerializerOptions['layout'] } {
  const layout = field.includes(' ') ? 'celery-5.2' : 'celery-5.5'
  const id = (layout === 'celery-5.2' ? field : fromBase64(field)).toString()
  const certificate = trusted.get(id)
  if (certificate === undefined) {
    throw new UntrustedMessageError(
      `no certificate in securityCertStore is the signer's, ${JSON.stringify(id)}`,
    )
  }
  return { certificate, layout }
}

interface Field {
  readonly field: Buffer
  /** Where the one after it begins. */
  readonly next: number
}

function takeField(fields: Buffer, start: number): Field {
  const end = fields.indexOf(SEPARATOR, start)
  if (end < 0) throw new UntrustedMessageError('it is not what the serializer auth writes')
  return { field: fields.subarray(start, end), next: end + SEPARATOR.length }
}

function takeBytes(fields: Buffer, start: number, length: number): Field {
  return { field: fields.subarray(start, start + length), next: start + length + SEPARATOR.length }
}

function signatureLength(certificate: X509Certificate): number {
  return (certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8
}

function inBase64(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64'))
}

function fromBase64(text: Buffer): Buffer {
  return Buffer.from(text.toString('latin1'), 'base64')
}
