import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Redis } from 'ioredis'
import { atTestEnd } from './at-test-end.js'
import { freeClusterPort, freePort } from './free-port.js'
import { startProcess, type RunningProcess } from './start-process.js'

/** A Redis of the test's own, on a free port of the loopback interface, that saves nothing unless told to. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  /** `redis://127.0.0.1:<port>/0` */
  readonly url: string
  /** The one that runs at the moment, or ran last. */
  readonly process: RunningProcess
  /** Where it keeps its data; a server that is started there again finds it. */
  readonly directory: string
  /** Ask it to end and wait until it has. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Kill it where it still runs, and start it again with the same port, arguments and data. */
  restart(): Promise<void>
}

export interface StartRedisOptions {
  /** More arguments, `['--appendonly', 'yes']`. */
  readonly args?: readonly string[]
  /** @default a free one */
  readonly port?: number
  /** @default a fresh one, removed with the server */
  readonly directory?: string
}

/** Start a private server; it answers when this resolves. It is killed when the test ends, if it still runs then. */
export async function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), 'lovage-redis-')))
  const findPort = options.args?.includes('--cluster-enabled') === true ? freeClusterPort : freePort
  let port = options.port ?? (await findPort())

  const start = async (): Promise<RunningProcess> => {
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory]
    // A replica is not to wait five seconds for others.
    const fast = ['--save', '', '--repl-diskless-sync-delay', '0']
    const started = startProcess(redisBinary(), [...where, ...fast, ...(options.args ?? [])])
    await started.waitForLine(/Ready to accept connections/)
    return started
  }
  const startSomewhere = async (): Promise<RunningProcess> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await start()
      } catch (error) {
        // Somebody may have taken the port between our finding it free and the server's listening on it.
        const isTaken = error instanceof Error && error.message.includes('Address already in use')
        if (!isTaken || options.port !== undefined || attempt === 3) throw error
        port = await findPort()
      }
    }
  }
  let running = await startSomewhere()

  const cleanUp = async (end: () => Promise<unknown>): Promise<void> => {
    await end()
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true })
  }
  const kill = (): Promise<void> => cleanUp(() => running.kill())
  atTestEnd(kill)
  return {
    port,
    url: `redis://127.0.0.1:${port}/0`,
    directory,
    get process() {
      return running
    },
    stop: () => cleanUp(() => running.stop()),
    kill,
    async restart() {
      await running.kill()
      running = await start()
    },
    [Symbol.asyncDispose]: kill,
  }
}

/** The server's program: `REDIS_SERVER_BIN`, or the first of Redis and Valkey on the PATH. */
export function redisBinary(): string {
  const { REDIS_SERVER_BIN, PATH = '' } = process.env
  if (REDIS_SERVER_BIN !== undefined && REDIS_SERVER_BIN !== '') return REDIS_SERVER_BIN
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of PATH.split(path.delimiter)) {
      const file = path.join(folder, name)
      if (existsSync(file)) return file
    }
  }
  throw new Error(
    'no redis-server or valkey-server on the PATH; `npm test` gets one, or set REDIS_SERVER_BIN',
  )
}

/**
 * A plain client to look at and change what is there; it is closed when the test ends.
 *
 * @param ca - Of a server that speaks TLS: the certificate of its authority.
 */
export function redisClient(url: string, ca?: Buffer): Redis {
  const tls = ca === undefined ? {} : { tls: { ca } }
  const client = new Redis(url, { protocol: 2, maxRetriesPerRequest: 1, ...tls })
  client.on('error', () => undefined)
  atTestEnd(() => client.disconnect())
  return client
}
