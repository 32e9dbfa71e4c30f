import zlib from 'node:zlib'
import { describeValue } from '../errors.js'
import { UndecodableBodyError, UnsupportedCompressionError } from './errors.js'

export interface DecompressOptions {
  /**
   * Bytes beyond which a body is taken for a decompression bomb.
   *
   * @default 256 MiB
   */
  readonly maxOutputLength?: number
}

interface Compression {
  /** What `headers.compression` holds. */
  readonly header: string
  readonly compress: (payload: Uint8Array) => Uint8Array
  readonly decompress: (payload: Uint8Array, limits: { maxOutputLength: number }) => Uint8Array
}

/** The part of node:zlib that Node.js 22.15 and 23.8 added. */
interface Zstd {
  readonly zstdCompressSync?: (payload: Uint8Array) => Uint8Array
  readonly zstdDecompressSync?: (payload: Uint8Array, limits: { maxOutputLength: number }) => Uint8Array
}

const MAX_OUTPUT_LENGTH = 256 * 1024 * 1024

const deflate: Compression = {
  header: 'application/x-gzip',
  // In spite of its name the format is a zlib stream, whichever alias was used.
  compress: (payload) => zlib.deflateSync(payload),
  // Takes both: clients that believed the name send real gzip.
  decompress: (payload, limits) => zlib.unzipSync(payload, limits),
}

const brotli: Compression = {
  header: 'application/x-brotli',
  compress: (payload) => zlib.brotliCompressSync(payload),
  decompress: (payload, limits) => zlib.brotliDecompressSync(payload, limits),
}

const zstd: Compression = {
  header: 'application/zstd',
  compress: (payload) => zstdFunction('zstdCompressSync')(payload),
  decompress: (payload, limits) => zstdFunction('zstdDecompressSync')(payload, limits),
}

const bzip2 = refused('application/x-bz2', 'bzip2')
const lzma = refused('application/x-lzma', 'lzma')

const COMPRESSIONS: ReadonlyMap<string, Compression> = new Map([
  ...named(deflate, 'zlib', 'gzip'),
  ...named(brotli, 'brotli'),
  ...named(zstd, 'zstd', 'zstandard'),
  ...named(bzip2, 'bzip2', 'bzip'),
  ...named(lzma, 'lzma', 'xz'),
])

/**
 * Compress a serialized body (wire protocol, section 4.3).
 *
 * @param name - Alias (`zlib`, `gzip`, `brotli`, `zstd`) or MIME name.
 * @returns The payload, and what the header `compression` must hold.
 * @throws {@link UnsupportedCompressionError}
 */
export function compress(name: string, payload: Uint8Array): { header: string; payload: Uint8Array } {
  const compression = compressionNamed(name)
  return { header: compression.header, payload: compression.compress(payload) }
}

/**
 * Undo the compression that the header names, by MIME name or alias.
 *
 * @throws {@link UnsupportedCompressionError} when it is not known here.
 * @throws {@link UndecodableBodyError} when the data is damaged or grows beyond `maxOutputLength`.
 */
export function decompress(header: string, payload: Uint8Array, options: DecompressOptions = {}): Uint8Array {
  const maxOutputLength = options.maxOutputLength ?? MAX_OUTPUT_LENGTH
  const compression = compressionNamed(header)
  try {
    return compression.decompress(payload, { maxOutputLength })
  } catch (error) {
    if (error instanceof UnsupportedCompressionError) throw error
    const isTooLong = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    throw new UndecodableBodyError(
      isTooLong
        ? `the body decompresses to more than ${maxOutputLength} bytes`
        : `the body is no ${compression.header}: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

function compressionNamed(name: string): Compression {
  const compression = COMPRESSIONS.get(name.toLowerCase())
  if (compression !== undefined) return compression
  throw new UnsupportedCompressionError(
    `compression must be one of ${[...COMPRESSIONS.keys()].join(', ')}, got ${describeValue(name)}`,
  )
}

function named(compression: Compression, ...aliases: string[]): [string, Compression][] {
  return [compression.header, ...aliases].map((name) => [name, compression])
}

function refused(header: string, name: string): Compression {
  const refuse = (): never => {
    throw new UnsupportedCompressionError(
      `${name} compression (${header}) is not available in Node.js: have the producer use zlib, brotli or zstd`,
    )
  }
  return { header, compress: refuse, decompress: refuse }
}

function zstdFunction<Name extends keyof Zstd>(name: Name): NonNullable<Zstd[Name]> {
  const found = (zlib as Zstd)[name]
  if (found !== undefined) return found
  throw new UnsupportedCompressionError(
    `zstd compression needs Node.js 22.15, 23.8 or newer; this is ${process.version}`,
  )
}
