import { InvalidRedisUrlError } from './errors.js'
import { decode, fault, splitUrl, splitUrls, TLS_KEYS, type Parts, type Scheme } from './split-url.js'
import type {
  Common,
  HostAndPort,
  RedisEndpoint,
  SocketEndpoint,
  TcpEndpoint,
  TlsOptions,
} from './endpoint.js'

/**
 * Read a broker's or result backend's URL (wire protocol, section 1):
 * `redis://[user[:password]@]host[:port][/db]`, the same with `rediss` for TLS, `redis+socket:///path` or
 * `unix:///path` with `?virtual_host=<db>`, `sentinel://host:26379;sentinel://host2:26379/<db>`,
 * `redis+cluster://host;host2` or `rediss+cluster`, and `memory://`. Several URLs of single servers, separated by `;`,
 * are alternatives, each with credentials, database and TLS of its own (Celery's `broker_url` with failover).
 *
 * User and password are percent-encoded. TLS is described by `ssl_cert_reqs` (`required` or `CERT_REQUIRED`, and
 * so on), `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` and `ssl_check_hostname`. It verifies unless told not to,
 * where redis-py asks for `ssl_cert_reqs` first.
 *
 * @throws InvalidRedisUrlError
 */
export function parseRedisUrl(url: string): RedisEndpoint {
  const unexpanded = /\$\{\w*\}|^\$\w+/.exec(url)?.[0]
  if (unexpanded !== undefined) {
    throw new InvalidRedisUrlError(`the URL holds ${unexpanded}, a variable that nothing was put in place of`)
  }
  const [first, ...others] = splitUrls(url).map(splitUrl)
  if (first === undefined) throw new InvalidRedisUrlError('the URL is empty; expected redis://host:port/db')
  if (others.length > 0 && isSingle(first)) {
    return { kind: 'alternatives', endpoints: [first, ...others].map(readSingle) }
  }
  const parts = others.reduce(join, first)
  const common = readCommon(parts)

  switch (parts.scheme) {
    case 'memory':
      return { kind: 'memory' }
    case 'redis':
    case 'rediss':
    case 'redis+socket':
    case 'unix':
      return readSingle(parts)
    case 'sentinel':
      refuseTls(parts)
      return { kind: 'sentinel', ...common, sentinels: readHosts(parts.hosts, 26379) }
    case 'redis+cluster':
    case 'rediss+cluster': {
      if (common.db !== 0) throw fault('database', '0, the only one of a cluster', String(common.db))
      const tls = readTls(parts)
      return { kind: 'cluster', ...common, nodes: readHosts(parts.hosts, 6379), tls }
    }
  }
}

const SINGLE_SCHEMES: readonly Scheme[] = ['redis', 'rediss', 'redis+socket', 'unix']

function isSingle({ scheme }: Parts): boolean {
  return SINGLE_SCHEMES.includes(scheme)
}

/** The URL of one server by its own address. */
function readSingle(parts: Parts): TcpEndpoint | SocketEndpoint {
  if (!isSingle(parts)) throw fault('scheme', `one of ${SINGLE_SCHEMES.join(', ')} for all`, parts.scheme)
  const common = readCommon(parts)
  if (parts.scheme === 'redis' || parts.scheme === 'rediss') {
    return { kind: 'tcp', ...common, ...readHost(parts.hosts, 6379), tls: readTls(parts) }
  }
  refuseTls(parts)
  if (parts.hosts !== '') throw fault('host', `nothing, as in ${parts.scheme}:///path`)
  if (parts.path === '') throw fault('path', 'that of a socket', '')
  return { kind: 'socket', ...common, path: decode(parts.path, 'path') }
}

/** Several URLs of one thing: all hosts, and of everything else what any of them says. */
function join(one: Parts, other: Parts): Parts {
  if (one.scheme !== other.scheme) throw fault('scheme', `${one.scheme} for all hosts`, other.scheme)
  const { username, password } = one.credentials
  return {
    scheme: one.scheme,
    credentials: username === undefined && password === undefined ? other.credentials : one.credentials,
    hosts: `${one.hosts};${other.hosts}`,
    path: one.path.length > 1 ? one.path : other.path,
    query: new Map([...other.query, ...one.query]),
  }
}

function readHosts(hosts: string, defaultPort: number): HostAndPort[] {
  return hosts
    .split(/[;,]/)
    .filter((host, index) => host !== '' || index === 0)
    .map((host) => readHost(host, defaultPort))
}

function readHost(text: string, defaultPort: number): HostAndPort {
  // An IPv6 address stands in brackets, as it has colons of its own.
  const [, bracketed, plain, portText] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined) throw fault('host', 'host:port, an IPv6 address in brackets')
  if (portText === undefined || portText === '') return { host: host || 'localhost', port: defaultPort }
  const port = Number(portText)
  const isNumber = /^\d{1,5}$/.test(portText)
  if (!isNumber || port < 1 || port > 65535) {
    throw fault('port', 'a number from 1 to 65535', isNumber ? portText : undefined)
  }
  return { host: host || 'localhost', port }
}

function readCommon({ scheme, credentials, path, query }: Parts): Common {
  const isSocket = scheme === 'redis+socket' || scheme === 'unix'
  const inPath = isSocket || scheme === 'memory' ? '' : path.replace(/^\//, '')
  const db = inPath || (query.get('virtual_host') ?? query.get('db') ?? '')
  // A virtual host of kombu may be written with the slash of a path.
  if (!/^\/?\d*$/.test(db)) throw fault('database', 'a number', db)
  return {
    ...credentials,
    db: Number(db.replace('/', '')),
    socketTimeoutMs: readTimeout(query, 'socket_timeout'),
    connectTimeoutMs: readTimeout(query, 'socket_connect_timeout'),
  }
}

function readTimeout(query: ReadonlyMap<string, string>, key: string): number | undefined {
  const text = query.get(key)
  if (text === undefined || text === '') return undefined
  const seconds = Number(text)
  if (!Number.isFinite(seconds) || seconds <= 0) throw fault(key, 'seconds, more than 0', text)
  return seconds * 1000
}

function readTls(parts: Parts): TlsOptions | undefined {
  if (!parts.scheme.startsWith('rediss')) {
    refuseTls(parts)
    return undefined
  }
  const { query } = parts
  return {
    sslCertReqs: readCertReqs(query.get('ssl_cert_reqs')),
    sslCaCerts: query.get('ssl_ca_certs') || undefined,
    sslCertfile: query.get('ssl_certfile') || undefined,
    sslKeyfile: query.get('ssl_keyfile') || undefined,
    sslCheckHostname: readBoolean(query.get('ssl_check_hostname'), 'ssl_check_hostname'),
  }
}

function refuseTls({ scheme, query }: Parts): void {
  const key = TLS_KEYS.find((each) => query.has(each))
  if (key === undefined) return
  const secured = scheme.replace(/^redis\b/, 'rediss')
  const expected =
    secured.startsWith('rediss') && !secured.includes('socket') ? `the scheme ${secured} with it` : 'none'
  throw fault('query key', expected, key)
}

const CERT_REQS: Readonly<Record<string, 'required' | 'optional' | 'none'>> = {
  required: 'required',
  optional: 'optional',
  none: 'none',
  cert_required: 'required',
  cert_optional: 'optional',
  cert_none: 'none',
}

function readCertReqs(text: string | undefined): TlsOptions['sslCertReqs'] {
  if (text === undefined || text === '') return undefined
  const reqs = CERT_REQS[text.toLowerCase()]
  if (reqs === undefined)
    throw fault('ssl_cert_reqs', 'required, optional, none, or CERT_REQUIRED and so on', text)
  return reqs
}

function readBoolean(text: string | undefined, key: string): boolean | undefined {
  switch (text?.toLowerCase()) {
    case undefined:
    case '':
      return undefined
    case 'true':
    case '1':
    case 'yes':
      return true
    case 'false':
    case '0':
    case 'no':
      return false
    default:
      throw fault(key, 'true or false', text ?? '')
  }
}
