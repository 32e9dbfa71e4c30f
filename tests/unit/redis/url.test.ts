import { describe, expect, it } from 'vitest'
import { InvalidRedisUrlError } from '../../../src/redis/errors.js'
import type { RedisEndpoint } from '../../../src/redis/endpoint.js'
import { redactUrl } from '../../../src/redis/split-url.js'
import { parseRedisUrl } from '../../../src/redis/url.js'

const PLAIN = {
  username: undefined,
  password: undefined,
  db: 0,
  socketTimeoutMs: undefined,
  connectTimeoutMs: undefined,
}
const VERIFYING = {
  sslCertReqs: undefined,
  sslCaCerts: undefined,
  sslCertfile: undefined,
  sslKeyfile: undefined,
  sslCheckHostname: undefined,
}
const TCP = { ...PLAIN, kind: 'tcp', host: 'localhost', port: 6379, tls: undefined } as const

describe('parseRedisUrl', () => {
  it.each<[url: string, endpoint: RedisEndpoint]>([
    ['redis://', TCP],
    ['redis://localhost', TCP],
    ['REDIS://localhost/', TCP],
    ['redis://cache.example:6380/3', { ...TCP, host: 'cache.example', port: 6380, db: 3 }],
    ['redis://localhost?db=4', { ...TCP, db: 4 }],
    ['redis://[::1]:6380/1', { ...TCP, host: '::1', port: 6380, db: 1 }],
    ['redis://:secret@localhost', { ...TCP, password: 'secret' }],
    ['redis://user@localhost', { ...TCP, username: 'user' }],
    [
      'redis://us%40er:p%3Aa%2Fs%40s%23@h/1',
      { ...TCP, host: 'h', db: 1, username: 'us@er', password: 'p:a/s@s#' },
    ],
    ['redis://:a:b@c@h', { ...TCP, host: 'h', password: 'a:b@c' }],
    ['redis://:a;b@h', { ...TCP, host: 'h', password: 'a;b' }],
    ['redis://:pa$w0rd@h', { ...TCP, host: 'h', password: 'pa$w0rd' }],
    [
      'redis://h?socket_timeout=2.5&socket_connect_timeout=1',
      { ...TCP, host: 'h', socketTimeoutMs: 2500, connectTimeoutMs: 1000 },
    ],
    ['redis://h?retry_on_timeout=true&max_connections=20', { ...TCP, host: 'h' }],
    ['rediss://h', { ...TCP, host: 'h', tls: VERIFYING }],
    ['redis+socket:///run/redis.sock', { ...PLAIN, kind: 'socket', path: '/run/redis.sock' }],
    [
      'redis+socket:///run/redis.sock?virtual_host=2',
      { ...PLAIN, kind: 'socket', path: '/run/redis.sock', db: 2 },
    ],
    [
      'redis+socket:///run/redis.sock?virtual_host=/2',
      { ...PLAIN, kind: 'socket', path: '/run/redis.sock', db: 2 },
    ],
    [
      'unix://:pw@/run/a%20b@c.sock?db=1',
      { ...PLAIN, kind: 'socket', path: '/run/a b@c.sock', db: 1, password: 'pw' },
    ],
    [
      'redis://:one@h1/1;rediss://h2:6380;redis+socket:///run/redis.sock',
      {
        kind: 'alternatives',
        endpoints: [
          { ...TCP, host: 'h1', db: 1, password: 'one' },
          { ...TCP, host: 'h2', port: 6380, tls: VERIFYING },
          { ...PLAIN, kind: 'socket', path: '/run/redis.sock' },
        ],
      },
    ],
    ['memory://', { kind: 'memory' }],
    ['memory://localhost/', { kind: 'memory' }],
    [
      'sentinel://h1:26379;sentinel://h2:26380/2',
      {
        ...PLAIN,
        kind: 'sentinel',
        sentinels: [
          { host: 'h1', port: 26379 },
          { host: 'h2', port: 26380 },
        ],
        db: 2,
      },
    ],
    [
      'sentinel://:pw@h1/1;sentinel://h2',
      {
        ...PLAIN,
        kind: 'sentinel',
        sentinels: [
          { host: 'h1', port: 26379 },
          { host: 'h2', port: 26379 },
        ],
        db: 1,
        password: 'pw',
      },
    ],
    [
      'redis+cluster://:pw@h1:7000;h2:7001',
      {
        ...PLAIN,
        kind: 'cluster',
        nodes: [
          { host: 'h1', port: 7000 },
          { host: 'h2', port: 7001 },
        ],
        password: 'pw',
        tls: undefined,
      },
    ],
    [
      'rediss+cluster://h1/0',
      { ...PLAIN, kind: 'cluster', nodes: [{ host: 'h1', port: 6379 }], tls: VERIFYING },
    ],
  ])('reads %s', (url, endpoint) => {
    expect(parseRedisUrl(url)).toEqual(endpoint)
  })

  it.each([
    ['required', 'required'],
    ['optional', 'optional'],
    ['none', 'none'],
    ['CERT_REQUIRED', 'required'],
    ['CERT_OPTIONAL', 'optional'],
    ['CERT_NONE', 'none'],
  ])('reads ssl_cert_reqs=%s', (text, sslCertReqs) => {
    expect(parseRedisUrl(`rediss://h?ssl_cert_reqs=${text}`)).toMatchObject({ tls: { sslCertReqs } })
  })

  it('reads the files of TLS', () => {
    const query =
      'ssl_ca_certs=/etc/ca%20s.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem&ssl_check_hostname=false'
    expect(parseRedisUrl(`rediss://h/0?${query}`)).toMatchObject({
      tls: {
        sslCaCerts: '/etc/ca s.pem',
        sslCertfile: '/c.pem',
        sslKeyfile: '/k.pem',
        sslCheckHostname: false,
      },
    })
  })

  it.each<[url: string, message: string | RegExp]>([
    ['', /^scheme of the URL: expected one of redis, rediss, .*, found none$/],
    ['localhost:6379', /^scheme of the URL: .* found none$/],
    ['amqp://h', /^scheme of the URL: .* found "amqp"$/],
    ['redis://h:70000', 'port of the URL: expected a number from 1 to 65535, found "70000"'],
    ['redis://h:0', 'port of the URL: expected a number from 1 to 65535, found "0"'],
    ['redis://h:6379/first', 'database of the URL: expected a number, found "first"'],
    ['redis://h/-1', 'database of the URL: expected a number, found "-1"'],
    ['redis+socket:///s?virtual_host=x', 'database of the URL: expected a number, found "x"'],
    ['redis+cluster://h/1', 'database of the URL: expected 0, the only one of a cluster, found "1"'],
    ['redis://h?ssl_cert_req=none', /^query key of the URL: expected one of .*, found "ssl_cert_req"$/],
    [
      'redis://h?ssl_cert_reqs=none',
      'query key of the URL: expected the scheme rediss with it, found "ssl_cert_reqs"',
    ],
    ['rediss://h?ssl_cert_reqs=maybe', /^ssl_cert_reqs of the URL: .*, found "maybe"$/],
    ['rediss://h?ssl_check_hostname=2', 'ssl_check_hostname of the URL: expected true or false, found "2"'],
    ['redis://h?socket_timeout=0', 'socket_timeout of the URL: expected seconds, more than 0, found "0"'],
    ['redis+socket://', 'path of the URL: expected that of a socket, found ""'],
    ['sentinel://h1;redis://h2', 'scheme of the URL: expected sentinel for all hosts, found "redis"'],
    [
      'redis://h1;sentinel://h2',
      'scheme of the URL: expected one of redis, rediss, redis+socket, unix for all, found "sentinel"',
    ],
    ['${REDIS_URL}', 'the URL holds ${REDIS_URL}, a variable that nothing was put in place of'],
    [
      'redis://:${REDIS_PASSWORD}@h',
      'the URL holds ${REDIS_PASSWORD}, a variable that nothing was put in place of',
    ],
    ['$REDIS_URL', 'the URL holds $REDIS_URL, a variable that nothing was put in place of'],
  ])('refuses %s', (url, message) => {
    expect(() => parseRedisUrl(url)).toThrow(InvalidRedisUrlError)
    expect(() => parseRedisUrl(url)).toThrow(message)
  })

  it.each([
    'redis://:hunter2@h:x',
    'redis://:hunter2',
    'redis://user:hunter2',
    'redis://:hunter2@h:99999999',
    'redis://:hunter2@h/x',
    'redis://:hunter2@h?y=1',
    'redis://:100%hunter2@h',
    'redis://:a/hunter2@h',
    'redis://:a@b/hunter2@h',
    'redis://:a?hunter2@h',
    'redis://:a@b?hunter2@h',
    'redis://:a:hunter2/0',
    'redis+socket://:hunter2@host/path',
    'unix://hunter2/path',
    'hunter2',
  ])('does not tell the password of %s', (url) => {
    const message = messageOf(() => parseRedisUrl(url))
    expect(message).not.toContain('hunter2')
    expect(message).toMatch(/expected/)
  })
})

describe('redactUrl', () => {
  it.each([
    ['redis://localhost:6379/0', 'redis://localhost:6379/0'],
    ['redis://:secret@h:6379/0', 'redis://:***@h:6379/0'],
    ['rediss://user:se:c@ret@h/0?ssl_cert_reqs=none', 'rediss://user:***@h/0?ssl_cert_reqs=none'],
    ['redis://:a/b?c@h', 'redis://:***@h'],
    ['sentinel://:one@h1;sentinel://:two@h2/1', 'sentinel://:***@h1;sentinel://:***@h2/1'],
    ['redis://user@h', 'redis://user@h'],
  ])('makes of %s %s', (url, redacted) => {
    expect(redactUrl(url)).toBe(redacted)
  })
})

function messageOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}
