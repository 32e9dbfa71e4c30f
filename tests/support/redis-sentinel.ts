import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Redis } from 'ioredis'
import { tlsServerArgs, type Certificates } from './certificates.js'
import { eventually } from './eventually.js'
import { freePort } from './free-port.js'
import { redisBinary, redisClient, startRedis, type RedisServer } from './redis-server.js'
import { startProcess } from './start-process.js'
import { tempDir } from './temp-dir.js'

export interface SentinelSite {
  /** `sentinel://...` with all sentinels, and the servers' password. */
  readonly url: string
  /** What else an app has to be told. */
  readonly transportOptions: {
    readonly masterName: string
    readonly sentinelKwargs: { readonly password: string }
  }
  /** A primary and its replica, as they were at the start. */
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Clients past the sentinels. */
  readonly clients: { readonly primary: Redis; readonly replica: Redis; readonly sentinels: readonly Redis[] }
}

const MASTER_NAME = 'shop'
const PASSWORD = 'of-the-servers'
const SENTINEL_PASSWORD = 'of-the-sentinels'

/**
 * Three sentinels, a primary and a replica, all with passwords; killed when the test ends.
 *
 * @param certificates - With these, all of them speak TLS and nothing else, to each other as well, and are `localhost`.
 */
export async function startSentinelSite(certificates?: Certificates): Promise<SentinelSite> {
  const host = certificates === undefined ? '127.0.0.1' : 'localhost'
  const args = ['--requirepass', PASSWORD, '--masterauth', PASSWORD]
  const start = async (...more: string[]): Promise<RedisServer> => {
    if (certificates === undefined) return startRedis({ args: [...args, ...more] })
    const port = await freePort()
    const tls = ['--port', '0', ...tlsServerArgs(certificates, port), '--tls-auth-clients', 'no']
    const names = ['--tls-replication', 'yes', '--replica-announce-ip', host]
    return startRedis({ port, args: [...args, ...tls, ...names, ...more] })
  }
  const primary = await start()
  const replica = await start('--replicaof', `${host} ${primary.port}`)
  const ca = certificates && readFileSync(certificates.ca)
  const client = (port: number, password: string): Redis =>
    redisClient(`redis://:${password}@${host}:${port}`, ca)
  const clients = { primary: client(primary.port, PASSWORD), replica: client(replica.port, PASSWORD) }
  await eventually(async () => (await clients.replica.info('replication')).includes('master_link_status:up'))

  const ports = await Promise.all([1, 2, 3].map(() => startSentinel(host, primary.port, certificates)))
  const sentinels = ports.map((port) => client(port, SENTINEL_PASSWORD))
  for (const sentinel of sentinels) {
    await eventually(async () => {
      const known = (await sentinel.call('SENTINEL', 'MASTER', MASTER_NAME)) as string[]
      const field = (name: string): string | undefined => known[known.indexOf(name) + 1]
      return field('num-other-sentinels') === '2' && field('num-slaves') === '1'
    })
  }
  return {
    url: ports.map((port) => `sentinel://:${PASSWORD}@${host}:${port}`).join(';'),
    transportOptions: { masterName: MASTER_NAME, sentinelKwargs: { password: SENTINEL_PASSWORD } },
    primary,
    replica,
    clients: { ...clients, sentinels },
  }
}

async function startSentinel(
  host: string,
  primaryPort: number,
  certificates?: Certificates,
): Promise<number> {
  const file = path.join(await tempDir(), 'sentinel.conf')
  const port = await freePort()
  const lines = [
    ...(certificates === undefined ? [`port ${port}`] : tlsOnly(port, host, certificates)),
    'bind 127.0.0.1',
    `requirepass ${SENTINEL_PASSWORD}`,
    `sentinel sentinel-pass ${SENTINEL_PASSWORD}`,
    `sentinel monitor ${MASTER_NAME} ${host} ${primaryPort} 2`,
    `sentinel auth-pass ${MASTER_NAME} ${PASSWORD}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} 700`,
    `sentinel failover-timeout ${MASTER_NAME} 4000`,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  await startProcess(redisBinary(), [file, '--sentinel']).waitForLine(/\+monitor master/)
  return port
}

/** Certificates name hosts, so sentinels have to pass on names, not addresses. */
function tlsOnly(port: number, host: string, { ca, serverCertificate, serverKey }: Certificates): string[] {
  return [
    ...['port 0', `tls-port ${port}`, 'tls-auth-clients no', 'tls-replication yes'],
    ...[`tls-cert-file ${serverCertificate}`, `tls-key-file ${serverKey}`, `tls-ca-cert-file ${ca}`],
    ...['sentinel resolve-hostnames yes', 'sentinel announce-hostnames yes', `sentinel announce-ip ${host}`],
  ]
}
