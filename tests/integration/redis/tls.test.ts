import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import tls, { createServer as createTlsServer, type TlsOptions as TlsServerOptions } from 'node:tls'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  closeRedis,
  openRedis,
  openSingle,
  ready,
  type RedisClient,
  type RedisConnectionOptions,
} from '../../../src/redis/connect.js'
import { InvalidRedisOptionsError, RedisUnavailableError } from '../../../src/redis/errors.js'
import { eventually } from '../../support/eventually.js'
import { makeCertificates, tlsServerArgs, type Certificates } from '../../support/certificates.js'
import { freeClusterPort, freePort } from '../../support/free-port.js'
import { startRedis } from '../../support/redis-server.js'
import { tempDir } from '../../support/temp-dir.js'

let certificates: Certificates
/** Of a server that wants a certificate of the client. */
let port: number
let stop: () => Promise<void>

beforeAll(async () => {
  certificates = await makeCertificates()
  port = await freePort()
  const server = await startRedis({
    args: [...tlsServerArgs(certificates, port), '--tls-auth-clients', 'yes'],
  })
  stop = () => server.stop()
})
afterAll(() => stop())

const clientQuery = (): string =>
  `ssl_certfile=${certificates.clientCertificate}&ssl_keyfile=${certificates.clientKey}`

/** A client that is closed when the test ends. */
function open(options: RedisConnectionOptions): RedisClient {
  const client = openRedis(options, 'test')
  onTestFinished(() => closeRedis(client))
  return client
}

async function refusal(url: string): Promise<Error & { readonly cause?: unknown }> {
  try {
    await ready(open({ url }), { timeoutMs: 500 })
  } catch (error) {
    expect(error).toBeInstanceOf(RedisUnavailableError)
    return error as Error
  }
  throw new Error('it was not refused')
}

async function startTlsServer(options: TlsServerOptions = {}): Promise<number> {
  const { serverCertificate, serverKey } = certificates
  const files = { cert: readFileSync(serverCertificate), key: readFileSync(serverKey) }
  const server = createTlsServer({ ...files, ...options }).listen(0)
  server.on('tlsClientError', () => undefined)
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined)
    onTestFinished(() => void socket.destroy())
  })
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

describe('row 36: TLS', () => {
  it('verifies the server and shows the certificate of the client', async () => {
    const client = open({
      url: `rediss://localhost:${port}?ssl_ca_certs=${certificates.ca}&${clientQuery()}`,
    })
    await ready(client)
    expect(await client.ping()).toBe('PONG')
  })

  it('takes the same from options', async () => {
    const { ca, clientCertificate, clientKey } = certificates
    const options = { sslCaCerts: ca, sslCertfile: clientCertificate, sslKeyfile: clientKey }
    const client = open({ url: `redis://localhost:${port}`, tls: options })
    await ready(client)
    expect(await client.ping()).toBe('PONG')
  })

  it('is refused without a certificate of its own, and says so', async () => {
    const error = await refusal(`rediss://localhost:${port}?ssl_ca_certs=${certificates.ca}`)
    expect(error.cause).toMatchObject({ code: 'TLS_CLIENT_CERTIFICATE' })
    expect(error.message).toMatch(/set ssl_certfile and ssl_keyfile/)
  })

  it.each(['', 'ssl_cert_reqs=required'])(
    'refuses a server of another authority, and says so (%j)',
    async (reqs) => {
      const query = `ssl_ca_certs=${certificates.otherCa}&${clientQuery()}&${reqs}`
      const error = await refusal(`rediss://localhost:${port}?${query}`)
      expect(error.cause).toMatchObject({ code: 'TLS_UNTRUSTED_CERTIFICATE' })
      expect(error.message).toMatch(/was not issued by a trusted authority .* set ssl_ca_certs/)
    },
  )

  it('refuses a server that no authority of this machine vouches for', async () => {
    const error = await refusal(`rediss://localhost:${port}?${clientQuery()}`)
    expect(error.cause).toMatchObject({ code: 'TLS_UNTRUSTED_CERTIFICATE' })
  })

  it.each(['none', 'CERT_NONE'])('accepts any server with ssl_cert_reqs=%s', async (reqs) => {
    const client = open({ url: `rediss://localhost:${port}?ssl_cert_reqs=${reqs}&${clientQuery()}` })
    await ready(client)
    expect(await client.ping()).toBe('PONG')
  })

  it('refuses a certificate for another host unless told not to look, and says for which it is', async () => {
    const url = `rediss://127.0.0.1:${port}?ssl_ca_certs=${certificates.ca}&${clientQuery()}`
    const error = await refusal(url)
    expect(error.cause).toMatchObject({ code: 'TLS_OTHER_HOST' })
    expect(error.message).toMatch(/is for DNS:localhost; .* set ssl_check_hostname=false/)
    await ready(open({ url: `${url}&ssl_check_hostname=false` }))
  })

  it('says that a server does not speak TLS', async () => {
    const plain = await startRedis()
    const error = await refusal(
      `rediss://localhost:${plain.port}?ssl_cert_reqs=none&socket_connect_timeout=0.1`,
    )
    expect(error.message).toMatch(/may not speak TLS/)
    const web = createServer((socket) => {
      socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n')
    }).listen(0, '127.0.0.1')
    await once(web, 'listening')
    onTestFinished(() => void web.close())
    const webPort = (web.address() as AddressInfo).port
    const other = await refusal(`rediss://127.0.0.1:${webPort}?ssl_cert_reqs=none`)
    expect(other.cause).toMatchObject({ code: 'TLS_NOT_SPOKEN' })
  })

  it('says that a server which hangs up may expect TLS, or not speak it', async () => {
    const expecting = await refusal(`redis://localhost:${port}`)
    expect(expecting.cause).toMatchObject({ code: 'BROKEN_OFF' })
    expect(expecting.message).toMatch(/broke off before it answered .*; it may expect TLS \(rediss:\/\/\)/)

    const rude = createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => socket.destroy())
    }).listen(0, '127.0.0.1')
    await once(rude, 'listening')
    onTestFinished(() => void rude.close())
    const url = `rediss://127.0.0.1:${(rude.address() as AddressInfo).port}?ssl_cert_reqs=none`
    const speechless = await refusal(url)
    expect(speechless.cause).toMatchObject({ code: 'BROKEN_OFF' })
    expect(speechless.message).toMatch(/may not speak TLS \(redis:\/\/\)/)
  })

  it('names the file that cannot be read', () => {
    const act = (): unknown => openRedis({ url: 'rediss://localhost?ssl_ca_certs=/nowhere/ca.pem' }, 'test')
    expect(act).toThrow(InvalidRedisOptionsError)
    expect(act).toThrow(/ssl_ca_certs: cannot read \/nowhere\/ca.pem/)
  })

  it('refuses versions before 1.2, also where Node.js was told to accept them', async () => {
    const { DEFAULT_CIPHERS, DEFAULT_MIN_VERSION } = tls
    onTestFinished(() => void Object.assign(tls, { DEFAULT_CIPHERS, DEFAULT_MIN_VERSION }))
    Object.assign(tls, { DEFAULT_CIPHERS: 'ALL:@SECLEVEL=0', DEFAULT_MIN_VERSION: 'TLSv1' })
    const old = await startTlsServer({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })
    // The server itself is fit to talk.
    const lenient = tls.connect({ port: old, host: 'localhost', rejectUnauthorized: false })
    await once(lenient, 'secureConnect')
    expect(lenient.getProtocol()).toBe('TLSv1.1')
    lenient.destroy()

    const error = await refusal(`rediss://localhost:${old}?ssl_cert_reqs=none`)
    expect(error.cause).toMatchObject({ code: 'TLS_VERSION' })
  })

  it.each([
    ['localhost', 'localhost'],
    ['127.0.0.1', undefined],
  ])('tells the server the name of the host it wants (SNI), and no address: %s', async (host, name) => {
    // A listener of its own: what the attempts of another host still had under way would be taken for this one's.
    const names: (string | false | null | undefined)[] = []
    const listening = createServer((client) => {
      const socket = new tls.TLSSocket(client, {
        isServer: true,
        cert: readFileSync(certificates.serverCertificate),
        key: readFileSync(certificates.serverKey),
      })
      socket.on('error', () => undefined)
      socket.once('secure', () => {
        names.push(socket.servername)
        socket.destroy()
      })
    }).listen(0)
    await once(listening, 'listening')
    onTestFinished(() => void listening.close())
    const { port: sniPort } = listening.address() as AddressInfo
    await refusal(`rediss://${host}:${sniPort}?ssl_cert_reqs=none`)
    await eventually(() => names.length > 0)
    expect([...new Set(names.map((seen) => seen || undefined))]).toEqual([name])
  })
})

/** A TCP proxy that can be told to spoil what the server sends, and then keeps its goodbye to itself. */
async function startSpoilingProxy(
  target: number,
): Promise<{ readonly port: number; spoil(does: boolean): void }> {
  let isSpoiling = false
  const server = createServer((client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, upstream]) socket.on('error', () => undefined)
    client.on('data', (bytes) => void upstream.write(bytes))
    upstream.on('data', (bytes) => {
      if (isSpoiling) bytes.writeUInt8((bytes.at(-3) ?? 0) ^ 0xff, bytes.length - 3)
      client.write(bytes)
    })
    upstream.on('end', () => void (isSpoiling || client.destroy()))
    client.on('close', () => upstream.destroy())
    onTestFinished(() => void client.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return {
    port: (server.address() as AddressInfo).port,
    spoil(does) {
      isSpoiling = does
    },
  }
}

/** What would end the process now. */
function uncaughtErrors(): unknown[] {
  const errors: unknown[] = []
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => errors.push(error))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of others) process.on('uncaughtException', listener)
  })
  return errors
}

describe('a TLS connection whose bytes are spoilt', () => {
  // The version in which a socket stays open after the first error, and has a second one.
  const OLD = ['--tls-protocols', 'TLSv1.2', '--tls-auth-clients', 'no']

  it('is given up at once and opened again; no error of its socket ends the process', async () => {
    const errors = uncaughtErrors()
    const tlsPort = await freePort()
    await startRedis({ args: [...tlsServerArgs(certificates, tlsPort), ...OLD] })
    const proxy = await startSpoilingProxy(tlsPort)
    const url = `rediss://localhost:${proxy.port}?ssl_ca_certs=${certificates.ca}`
    const client = open({ url, socketTimeoutMs: 500 })
    await ready(client)
    await spoilAndRecover(client, client, proxy)
    expect(errors).toEqual([])
  })

  it('so it is on a cluster, for the nodes and for a connection to the node of one slot', async () => {
    const errors = uncaughtErrors()
    const tlsPort = await freeClusterPort()
    const proxy = await startSpoilingProxy(tlsPort)
    const cluster = ['--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-announce-ip', '127.0.0.1']
    const announce = ['--cluster-announce-tls-port', String(proxy.port), '--dir', await tempDir()]
    const server = await startRedis({
      args: [...tlsServerArgs(certificates, tlsPort), ...OLD, ...cluster, ...announce],
    })
    const admin = open({ url: `redis://127.0.0.1:${server.port}` })
    await ready(admin)
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')

    const query = `ssl_ca_certs=${certificates.ca}&ssl_check_hostname=false`
    const options = { url: `rediss+cluster://127.0.0.1:${proxy.port}?${query}`, socketTimeoutMs: 500 }
    const whole = open(options)
    if (!(whole instanceof Cluster)) throw new Error('not a client of a cluster')
    await ready(whole)
    await whole.get('key')
    const [node] = whole.nodes()
    if (node === undefined) throw new Error('the cluster has no nodes')
    await spoilAndRecover(whole, node, proxy)

    const single = openSingle(options, 'test', 'key')
    onTestFinished(() => closeRedis(single))
    await ready(single)
    await spoilAndRecover(single, single, proxy)
    expect(errors).toEqual([])
  })

  async function spoilAndRecover(
    client: RedisClient,
    connection: RedisClient,
    proxy: { spoil(does: boolean): void },
  ): Promise<void> {
    const closed = new Promise((resolve) => void connection.once('close', resolve))
    proxy.spoil(true)
    const before = performance.now()
    const commands = Array.from({ length: 20 }, () => client.get('key'))
    expect((await Promise.allSettled(commands)).map(({ status }) => status)).toContain('rejected')
    await closed
    expect(performance.now() - before).toBeLessThan(10_000)
    // Longer than the socket's timeout, which would be its second error.
    await new Promise((resolve) => setTimeout(resolve, 700))
    proxy.spoil(false)
    await expect
      .poll(() => client.get('key').catch((error: unknown) => error), { timeout: 10_000 })
      .toBeNull()
  }
})
