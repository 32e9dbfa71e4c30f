import { InvalidRedisUrlError } from './errors.js'
import type { Credentials } from './endpoint.js'

const SCHEMES = [
  'redis',
  'rediss',
  'redis+socket',
  'unix',
  'sentinel',
  'redis+cluster',
  'rediss+cluster',
  'memory',
] as const
export type Scheme = (typeof SCHEMES)[number]

/** Parts of a URL in the order of its text. Those that are missing are empty. */
export interface Parts {
  readonly scheme: Scheme
  readonly credentials: Credentials
  /** What stands between the credentials and the path: `host:port`, for several hosts with `;` between them. */
  readonly hosts: string
  /** With its leading slash. */
  readonly path: string
  readonly query: ReadonlyMap<string, string>
}

/** `url` with its password replaced by `***`, also where the password was not encoded as it should be. */
export function redactUrl(url: string): string {
  return splitUrls(url)
    .map((each) => each.replace(/^([^:]*:\/\/[^:@]*):.*@/s, '$1:***@'))
    .join(';')
}

/** Several of them are separated by `;`, which a password may hold, too. */
export function splitUrls(url: string): string[] {
  return url.split(/;(?=[a-z][a-z+]*:\/\/)/i)
}

/** @throws InvalidRedisUrlError for an unknown scheme or query key, and for text that is not encoded as it should be. */
export function splitUrl(url: string): Parts {
  const [, schemeText, rest = ''] = /^([^:/]*):\/\/(.*)$/s.exec(url) ?? []
  const scheme = SCHEMES.find((known) => known === schemeText?.toLowerCase())
  if (scheme === undefined) {
    // Without a scheme the text may be anything, a password as well.
    const found = schemeText === undefined ? 'none' : JSON.stringify(schemeText)
    throw new InvalidRedisUrlError(`scheme of the URL: expected one of ${SCHEMES.join(', ')}, found ${found}`)
  }
  const end = rest.search(/[/?]/)
  const authority = end === -1 ? rest : rest.slice(0, end)
  const at = authority.lastIndexOf('@')
  const [path = '', ...queries] = rest.slice(authority.length).split('?')
  // What follows an unencoded / or ? of a password would be taken for a path or a query, and be shown.
  const isSocket = scheme === 'redis+socket' || scheme === 'unix'
  if ((at === -1 && rest.includes('@')) || (!isSocket && path.includes('@'))) throw unencoded()
  return {
    scheme,
    credentials: at === -1 ? NOBODY : readCredentials(authority.slice(0, at)),
    hosts: authority.slice(at + 1),
    path,
    query: readQuery(queries.join('?')),
  }
}

const NOBODY: Credentials = { username: undefined, password: undefined }

function readCredentials(text: string): Credentials {
  const colon = text.indexOf(':')
  const username = decode(colon === -1 ? text : text.slice(0, colon), 'user')
  const password = colon === -1 ? '' : decode(text.slice(colon + 1), 'password')
  return { username: username || undefined, password: password || undefined }
}

export const TLS_KEYS = ['ssl_cert_reqs', 'ssl_ca_certs', 'ssl_certfile', 'ssl_keyfile', 'ssl_check_hostname']
const TIMEOUT_KEYS = ['socket_timeout', 'socket_connect_timeout']
const DATABASE_KEYS = ['virtual_host', 'db']
/** Of redis-py, and without a meaning here: connections are kept alive, few, and opened again by themselves. */
const IDLE_KEYS = [
  'client_name',
  'health_check_interval',
  'max_connections',
  'protocol',
  'retry_on_timeout',
  'socket_keepalive',
]
const QUERY_KEYS = [...TLS_KEYS, ...TIMEOUT_KEYS, ...DATABASE_KEYS, ...IDLE_KEYS]

function readQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const key = equals === -1 ? pair : pair.slice(0, equals)
    if (key.includes('@')) throw unencoded()
    if (!QUERY_KEYS.includes(key)) throw fault('query key', `one of ${QUERY_KEYS.join(', ')}`, key)
    query.set(key, equals === -1 ? '' : decode(pair.slice(equals + 1), key))
  }
  return query
}

/** @param part - For the error, as the text may be a secret. */
export function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new InvalidRedisUrlError(`${part} of the URL: expected percent-encoding, % itself as %25`)
  }
}

function unencoded(): InvalidRedisUrlError {
  return new InvalidRedisUrlError(
    'user and password of the URL: expected reserved characters percent-encoded, / as %2F, ? as %3F, @ as %40',
  )
}

/** @param found - Left out where it may be a part of a password, as everything before the path may be. */
export function fault(part: string, expected: string, found?: string): InvalidRedisUrlError {
  const shown = found === undefined ? 'something else' : JSON.stringify(found)
  return new InvalidRedisUrlError(`${part} of the URL: expected ${expected}, found ${shown}`)
}
