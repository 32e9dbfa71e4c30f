import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { compress, decompress } from '../../../src/serialization/compression.js'
import { UndecodableBodyError, UnsupportedCompressionError } from '../../../src/serialization/errors.js'
import { decodeBody } from '../../../src/serialization/decode-body.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { resolveAcceptContent } from '../../../src/serialization/serializers.js'
import { pushedMessages } from './vectors.js'

const accept = resolveAcceptContent(['json'])
const text = Buffer.from('abc '.repeat(1000))

describe.each(['celery-5.2.6', 'celery-5.6.3'])('the bodies of %s', (folder) => {
  it('Must 4.6: compressed with zlib and gzip decode alike, others are refused by name', () => {
    let read = 0
    for (const { call, text } of pushedMessages(folder, 'compression')) {
      const envelope = parseEnvelope(text)
      const { compression } = envelope.headers
      if (compression === 'application/x-bz2' || compression === 'application/x-lzma') {
        expect(() => decodeBody(envelope, accept), call).toThrow(UnsupportedCompressionError)
        continue
      }
      const [args] = decodeBody(envelope, accept) as [unknown[]]
      expect(Array.isArray(args), call).toBe(true)
      if (compression === 'application/x-gzip') read++
    }
    expect(read).toBeGreaterThan(1)
  })
})

it('Must 4.6: x-gzip is written as a zlib stream, and real gzip is read too', () => {
  for (const name of ['zlib', 'gzip', 'application/x-gzip']) {
    const { header, payload } = compress(name, text)
    expect(header).toBe('application/x-gzip')
    expect(payload[0]).toBe(0x78)
    expect(Buffer.from(decompress(header, payload))).toEqual(text)
  }
  expect(Buffer.from(decompress('application/x-gzip', gzipSync(text)))).toEqual(text)
})

it('reads and writes brotli, by alias and MIME name', () => {
  const { header, payload } = compress('brotli', text)
  expect(header).toBe('application/x-brotli')
  expect(Buffer.from(decompress('brotli', payload))).toEqual(text)
})

it('says what is missing for zstd, or does it', () => {
  const hasZstd = 'zstdCompressSync' in process.getBuiltinModule('node:zlib')
  if (hasZstd) {
    const { header, payload } = compress('zstandard', text)
    expect(header).toBe('application/zstd')
    expect(Buffer.from(decompress(header, payload))).toEqual(text)
  } else {
    expect(() => compress('zstd', text)).toThrow(/Node\.js 22\.15/)
    expect(() => decompress('application/zstd', text)).toThrow(UnsupportedCompressionError)
  }
})

it('refuses damaged data, and data that grows without end', () => {
  const { header, payload } = compress('zlib', text)
  for (const damaged of [payload.subarray(0, -5), Buffer.from('no zlib'), new Uint8Array()]) {
    expect(() => decompress(header, damaged)).toThrow(UndecodableBodyError)
  }
  for (const name of ['zlib', 'brotli']) {
    const bomb = compress(name, Buffer.alloc(100_000))
    expect(() => decompress(bomb.header, bomb.payload, { maxOutputLength: 99_999 })).toThrow(
      /more than 99999 bytes/,
    )
    expect(decompress(bomb.header, bomb.payload, { maxOutputLength: 100_000 })).toHaveLength(100_000)
  }
})

it('refuses unknown names, listing the known ones', () => {
  expect(() => compress('snappy', text)).toThrow(/zlib.*got string "snappy"/)
  expect(() => compress('bzip2', text)).toThrow(UnsupportedCompressionError)
  expect(() => decompress('xz', text)).toThrow(/lzma/)
})
