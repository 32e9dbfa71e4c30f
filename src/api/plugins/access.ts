import { createHash, timingSafeEqual } from 'node:crypto'
import { ApiError } from '../api-error.js'
import { isIP } from 'node:net'
import type { ApiServer } from '../api-server.js'
import type { FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `open` answers everybody: for what tells nothing. @default closed */
    readonly access?: 'open'
  }
}

/**
 * Answer only who may ask: with tokens, who sends one of them as `Authorization: Bearer TOKEN`; without tokens,
 * programs and pages of this machine.
 */
export function addAccessControl(server: ApiServer, tokens: readonly string[]): void {
  const digests = tokens.map(digest)
  const check = tokens.length > 0 ? (request: FastifyRequest) => checkToken(request, digests) : checkLocal
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.access !== 'open') check(request)
    done()
  })
}

function checkToken({ headers }: FastifyRequest, digests: readonly Buffer[]): void {
  const given = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  const headersOfAnswer = { 'www-authenticate': 'Bearer' }
  if (given === undefined) {
    throw new ApiError(401, 'UNAUTHORIZED', 'send a token: Authorization: Bearer TOKEN', {
      headers: headersOfAnswer,
    })
  }
  const digestOfGiven = digest(given)
  // All are compared, so that the time tells nothing of which, or how much of one, was right.
  const matches = digests.filter((each) => timingSafeEqual(each, digestOfGiven))
  if (matches.length === 0) {
    throw new ApiError(401, 'UNAUTHORIZED', 'the token is not valid', { headers: headersOfAnswer })
  }
}

/**
 * The connection has to come from this machine, and not by way of a proxy. Since browsers connect from this
 * machine for whatever page they show, the host asked for has to be a local name, too (a foreign name may resolve
 * to 127.0.0.1), and the page a local one.
 */
function checkLocal({ headers, socket }: FastifyRequest): void {
  const isForwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined
  const origin = headers.origin
  if (
    isLoopback(socket.remoteAddress ?? '') &&
    !isForwarded &&
    isLoopback(hostOf(`http://${headers.host ?? ''}`)) &&
    (origin === undefined || isLoopback(hostOf(origin)))
  ) {
    return
  }
  throw new ApiError(
    403,
    'LOCAL_REQUESTS_ONLY',
    'no tokens are set (API_TOKENS), so only requests from this machine, to localhost, are answered',
  )
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** The host of a URL without brackets; '' where it has none. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : ''
}

function isLoopback(host: string): boolean {
  const address = host.replace(/^::ffff:(?=\d+\.)/i, '')
  if (isIP(address) === 4) return address.startsWith('127.')
  return address === '::1' || address === 'localhost' || address.endsWith('.localhost')
}
