import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Redis } from 'ioredis'
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

/** Three sentinels, a primary and a replica, all with passwords; killed when the test ends. */
export async function startSentinelSite(): Promise<SentinelSite> {
  const args = ['--requirepass', PASSWORD, '--masterauth', PASSWORD, '--repl-diskless-sync-delay', '0']
  const primary = await startRedis({ args })
  const replica = await startRedis({ args: [...args, '--replicaof', `127.0.0.1 ${primary.port}`] })
  const client = (port: number, password: string): Redis =>
    redisClient(`redis://:${password}@127.0.0.1:${port}`)
  const clients = { primary: client(primary.port, PASSWORD), replica: client(replica.port, PASSWORD) }
  await eventually(async () => (await clients.replica.info('replication')).includes('master_link_status:up'))

  const ports = await Promise.all([1, 2, 3].map(() => startSentinel(primary.port)))
  const sentinels = ports.map((port) => client(port, SENTINEL_PASSWORD))
  for (const sentinel of sentinels) {
    await eventually(async () => {
      const known = (await sentinel.call('SENTINEL', 'MASTER', MASTER_NAME)) as string[]
      const field = (name: string): string | undefined => known[known.indexOf(name) + 1]
      return field('num-other-sentinels') === '2' && field('num-slaves') === '1'
    })
  }
  return {
    url: ports.map((port) => `sentinel://:${PASSWORD}@127.0.0.1:${port}`).join(';'),
    transportOptions: { masterName: MASTER_NAME, sentinelKwargs: { password: SENTINEL_PASSWORD } },
    primary,
    replica,
    clients: { ...clients, sentinels },
  }
}

async function startSentinel(primaryPort: number): Promise<number> {
  const file = path.join(await tempDir(), 'sentinel.conf')
  const port = await freePort()
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `requirepass ${SENTINEL_PASSWORD}`,
    `sentinel sentinel-pass ${SENTINEL_PASSWORD}`,
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${primaryPort} 2`,
    `sentinel auth-pass ${MASTER_NAME} ${PASSWORD}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} 700`,
    `sentinel failover-timeout ${MASTER_NAME} 4000`,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  await startProcess(redisBinary(), [file, '--sentinel']).waitForLine(/\+monitor master/)
  return port
}
