import { lookup } from 'node:dns'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import path from 'node:path'
import {
  ReportError,
  SourceNotAllowedError,
  SourceNotReadableError,
  SourceTooLargeError,
  SourceUnavailableError,
} from './errors.js'
import type { OpenSource } from './open-source.js'
import { isPublicAddress } from './private-address.js'

/** The longest silence of a server, from connecting to the last byte. */
const IDLE_TIMEOUT_MS = 30_000

export interface UrlSourceOptions {
  readonly allowPrivateSources: boolean
  readonly maxSourceBytes: number
  readonly signal: AbortSignal
}

/**
 * Open an http(s) URL for reading.
 *
 * Made for URLs that strangers hand in: addresses that are not public are refused unless allowed, checked
 * on the very address that is connected to, so that a name cannot resolve to another one afterwards.
 * Redirects are refused, because they would lead anywhere.
 *
 * @throws {@link SourceNotAllowedError} for other schemes, private addresses and redirects.
 * @throws {@link SourceUnavailableError} when name, connection or server fail (5xx, 408, 429).
 * @throws {@link SourceNotReadableError} when the server refuses (other 4xx) or sends no table.
 * @throws {@link SourceTooLargeError} as soon as it is known.
 */
export async function openUrlSource(source: string, options: UrlSourceOptions): Promise<OpenSource> {
  const url = parseUrl(source)
  const label = labelOf(url)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (!options.allowPrivateSources && isIP(host) !== 0 && !isPublicAddress(host)) throw notPublic(label, host)

  const response = await send(url, label, options)
  try {
    checkResponse(response, label)
    const size = contentLength(response)
    if (size !== undefined && size > options.maxSourceBytes) throw tooLarge(label, options.maxSourceBytes)
    return {
      label,
      size,
      chunks: readBody(response, label, options),
      close() {
        response.destroy()
        return Promise.resolve()
      },
    }
  } catch (error) {
    response.destroy()
    throw error
  }
}

function parseUrl(source: string): URL {
  let url: URL
  try {
    url = new URL(source)
  } catch (error) {
    throw new SourceNotReadableError('source is not a valid URL', { cause: error })
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') return url
  throw new SourceNotAllowedError(
    `source has the scheme ${JSON.stringify(url.protocol)}: reports read http:// and https:// URLs and files by their path`,
  )
}

async function send(url: URL, label: string, options: UrlSourceOptions): Promise<IncomingMessage> {
  const request = (url.protocol === 'https:' ? https : http).get(url, {
    // A connection of its own: a pooled one may have been made without the check.
    agent: false,
    headers: {
      accept: 'text/csv, text/plain;q=0.9, */*;q=0.5',
      'accept-encoding': 'identity',
      'user-agent': 'lovage',
    },
    signal: options.signal,
    timeout: IDLE_TIMEOUT_MS,
    ...(options.allowPrivateSources ? {} : { lookup: publicLookup(label) }),
  })
  request.on('timeout', () => {
    request.destroy(
      new SourceUnavailableError(`source ${label}: nothing came for ${IDLE_TIMEOUT_MS / 1000} s`),
    )
  })
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return response
  } catch (error) {
    throw asSourceError(error, label, options.signal)
  }
}

/** The system's name resolution, refusing names that lead to an address that is not public. */
function publicLookup(label: string): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      const refused = addresses?.find(({ address }) => !isPublicAddress(address))
      const first = addresses?.[0]
      if (error !== null) callback(error, '')
      else if (refused !== undefined) callback(notPublic(label, refused.address), '')
      else if (options.all === true) callback(null, addresses)
      else callback(null, first?.address ?? '', first?.family)
    })
  }
}

function checkResponse(response: IncomingMessage, label: string): void {
  const status = response.statusCode ?? 0
  if (status >= 300 && status < 400) {
    throw new SourceNotAllowedError(
      `source ${label} redirects (status ${status}), which is refused: give the final URL`,
    )
  }
  if (status >= 500 || status === 408 || status === 429) {
    throw new SourceUnavailableError(`source ${label}: the server answered with status ${status}`)
  }
  if (status !== 200)
    throw new SourceNotReadableError(`source ${label}: the server answered with status ${status}`)
  const encoding = response.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    throw new SourceNotReadableError(
      `source ${label} comes encoded as ${JSON.stringify(encoding)}, which was not asked for`,
    )
  }
  if (/^text\/html\b/i.test(response.headers['content-type'] ?? '')) {
    throw new SourceNotReadableError(`source ${label} is an HTML page, not a CSV file: does it need a login?`)
  }
}

function contentLength(response: IncomingMessage): number | undefined {
  const length = response.headers['content-length']
  return length === undefined ? undefined : Number(length)
}

async function* readBody(
  response: IncomingMessage,
  label: string,
  { maxSourceBytes, signal }: UrlSourceOptions,
): AsyncGenerator<Buffer> {
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxSourceBytes) throw tooLarge(label, maxSourceBytes)
      yield chunk
    }
  } catch (error) {
    throw asSourceError(error, label, signal)
  }
}

function asSourceError(error: unknown, label: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof ReportError) return error
  return new SourceUnavailableError(
    `source ${label} cannot be read: ${error instanceof Error ? error.message : ''}`,
    {
      cause: error,
    },
  )
}

function labelOf(url: URL): string {
  return `${url.origin}${path.posix.normalize(url.pathname)}`
}

function notPublic(label: string, address: string): SourceNotAllowedError {
  return new SourceNotAllowedError(
    `source ${label} is at ${address}, which is not a public address: set allowPrivateSources to read it`,
  )
}

function tooLarge(label: string, limit: number): SourceTooLargeError {
  return new SourceTooLargeError(`source ${label} has more than the allowed ${limit} bytes`)
}
