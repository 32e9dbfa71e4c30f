import { Buffer, isUtf8 } from 'node:buffer'
import { InvalidArgumentError, describeValue } from '../errors.js'
import { ContentDisallowedError, InvalidJsonError, UndecodableBodyError } from './errors.js'
import { formatJson, parseJson, type JsonForm } from './json.js'
import { decodeMsgpack, encodeMsgpack } from './msgpack.js'
import { formatYaml, parseYaml } from './yaml.js'

/** One way to turn values into payload bytes and back (wire protocol, section 4.1). */
export interface Serializer {
  readonly name: string
  readonly contentType: string
  readonly contentEncoding: 'utf-8' | 'binary'
  /** @throws {@link EncodeError} */
  encode(value: unknown): string | Uint8Array
  /** @throws {@link UndecodableBodyError} */
  decode(payload: Uint8Array): unknown
}

const json: Serializer = {
  name: 'json',
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  encode: (value) => formatJson(value),
  decode: decodeJson,
}

const plainJson: Serializer = { ...json, encode: (value) => formatJson(value, 'plain') }

const yaml: Serializer = {
  name: 'yaml',
  contentType: 'application/x-yaml',
  contentEncoding: 'utf-8',
  encode: formatYaml,
  decode: (payload) => parseYaml(decodeText(payload)),
}

const msgpack: Serializer = {
  name: 'msgpack',
  contentType: 'application/x-msgpack',
  contentEncoding: 'binary',
  encode: encodeMsgpack,
  decode: decodeMsgpack,
}

const raw: Serializer = {
  name: 'raw',
  contentType: 'application/data',
  contentEncoding: 'binary',
  encode(value) {
    if (value instanceof Uint8Array) return value
    throw new InvalidArgumentError(`the raw serializer takes bytes, got ${describeValue(value)}`)
  },
  decode: (payload) => payload,
}

const text: Serializer = {
  name: 'text',
  contentType: 'text/plain',
  contentEncoding: 'utf-8',
  encode(value) {
    if (typeof value === 'string') return value
    throw new InvalidArgumentError(`the text serializer takes text, got ${describeValue(value)}`)
  },
  decode: decodeText,
}

/** What a consumer decodes, by content type, and with what. */
export type AcceptedContent = ReadonlyMap<string, Serializer>

const SERIALIZERS: readonly Serializer[] = [json, yaml, msgpack, raw, text]

const BY_NAME: ReadonlyMap<string, Serializer> = new Map(SERIALIZERS.map((each) => [each.name, each]))

const BY_CONTENT_TYPE: ReadonlyMap<string, Serializer> = new Map([
  ...SERIALIZERS.map((each) => [each.contentType, each] as const),
  ['application/text', text],
])

/** Types without structure, which kombu accepts whatever the setting says. */
const ALWAYS_ACCEPTED: AcceptedContent = new Map([
  [raw.contentType, raw],
  ['application/text', text],
])

const PICKLE_NAMES: ReadonlySet<string> = new Set(['pickle', 'application/x-python-serialize'])

/**
 * A serializer by Celery's name for it.
 *
 * @param form - How `json` writes dates, UUIDs, decimals and bytes; the others have one form.
 * @param auth - The one of the name `auth`, where the application has it.
 * @throws {@link InvalidArgumentError} when there is none of that name; `pickle` is not offered on purpose.
 */
export function serializerNamed(name: string, form: JsonForm = 'tagged', auth?: Serializer): Serializer {
  if (name === 'json' && form === 'plain') return plainJson
  if (name === auth?.name) return auth
  const serializer = BY_NAME.get(name)
  if (serializer === undefined) throw unknownSerializer(name)
  return serializer
}

/**
 * The serializer that wrote a payload.
 *
 * @throws {@link ContentDisallowedError} for pickle and for types that nobody here can read.
 */
export function serializerForContentType(contentType: string): Serializer {
  const serializer = BY_CONTENT_TYPE.get(contentType)
  if (serializer !== undefined) return serializer
  const known = `one of ${[...BY_CONTENT_TYPE.keys()].join(', ')}`
  throw new ContentDisallowedError(
    PICKLE_NAMES.has(contentType)
      ? `content type ${contentType} is pickle, which is never decoded: unpickling runs code from the message; use ${known}`
      : `content type must be ${known}, got ${describeValue(contentType)}`,
  )
}

/**
 * The content types that a consumer accepts (Celery's setting `accept_content`; wire protocol, section 4.4).
 *
 * @param names - Serializers' names or MIME types.
 * @param auth - The serializer `auth`, where the application has it; its type is that of raw bytes.
 * @returns By MIME type; `application/data` and `application/text` are always among them.
 * @throws {@link InvalidArgumentError} for pickle and unknown names.
 */
export function resolveAcceptContent(names: readonly string[], auth?: Serializer): AcceptedContent {
  const accepted = new Map(ALWAYS_ACCEPTED)
  for (const name of names) {
    const serializer = name === auth?.name ? auth : (BY_NAME.get(name) ?? BY_CONTENT_TYPE.get(name))
    if (serializer === undefined) throw unknownSerializer(name)
    accepted.set(name.includes('/') ? name : serializer.contentType, serializer)
  }
  return accepted
}

function unknownSerializer(name: string): InvalidArgumentError {
  const known = `one of ${[...BY_NAME.keys()].join(', ')}`
  return new InvalidArgumentError(
    PICKLE_NAMES.has(name)
      ? `pickle is not supported, because unpickling runs code from the message; use ${known}`
      : name === 'auth'
        ? 'the serializer auth needs the setting securityCertStore'
        : `serializer must be ${known}, got ${describeValue(name)}`,
  )
}

function decodeJson(payload: Uint8Array): unknown {
  try {
    return parseJson(decodeText(payload))
  } catch (error) {
    if (!(error instanceof InvalidJsonError)) throw error
    throw new UndecodableBodyError(`the body is ${error.message}`, { cause: error })
  }
}

/** @throws {@link UndecodableBodyError} when the bytes are no UTF-8. */
function decodeText(payload: Uint8Array): string {
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const decoded = bytes.toString('utf8')
  // The replacement character may have been sent as such: only then the bytes are looked at again.
  if (decoded.includes('\ufffd') && !isUtf8(bytes))
    throw new UndecodableBodyError('the body is no UTF-8 text')
  return decoded
}
