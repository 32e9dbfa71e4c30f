import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Redis } from 'ioredis'
import { freePort } from '../../support/free-port.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

interface State {
  /** What the server answers then. */
  readonly reply: string
  readonly args?: readonly string[]
  readonly scheme?: string
  readonly begin: (admin: Redis, server: RedisServer) => Promise<unknown>
  readonly end: (admin: Redis) => Promise<unknown>
}

/** A replica of nobody. */
const demote = async (admin: Redis): Promise<unknown> => admin.replicaof('127.0.0.1', await freePort())
const promote = (admin: Redis): Promise<unknown> => admin.replicaof('NO', 'ONE')

const STATES: readonly State[] = [
  { reply: 'READONLY', begin: demote, end: promote },
  { reply: 'MASTERDOWN', args: ['--replica-serve-stale-data', 'no'], begin: demote, end: promote },
  {
    reply: 'CLUSTERDOWN',
    scheme: 'redis+cluster',
    args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    begin: (admin) => admin.call('CLUSTER', 'DELSLOTSRANGE', '0', '1'),
    end: (admin) => admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '1'),
  },
  {
    reply: 'LOADING',
    // A second for a thousand keys, and answers meanwhile.
    args: [
      '--appendonly',
      'yes',
      '--key-load-delay',
      '1000',
      '--loading-process-events-interval-bytes',
      '1024',
    ],
    async begin(admin, server) {
      const pipeline = admin.pipeline()
      for (let i = 0; i < 6000; i++) pipeline.set(`padding:${i}`, '')
      await pipeline.exec()
      server.process.signal('SIGKILL')
      await server.process.exit
      // It says that it is ready when it has loaded; until then it is to be found.
      void server.restart()
    },
    end: () => Promise.resolve(),
  },
]

describe('row 3: replies of a server that cannot take a command at the moment', () => {
  it.each(STATES)('row 3: $reply delays tasks, and neither loses nor repeats one', async (state) => {
    const server = await startRedis({ args: state.args ?? [] })
    const admin = redisClient(server.url)
    if (state.scheme !== undefined) await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    const url = `${state.scheme ?? 'redis'}://127.0.0.1:${server.port}`
    const app = testApp(url, {
      publishTimeoutMs: 15_000,
      brokerTransportOptions: { globalKeyprefix: '{shop}' },
    })
    const runs = new Map<string, number>()
    app.task('row3.run', { bind: true }, ({ request }) => {
      runs.set(request.id, (runs.get(request.id) ?? 0) + 1)
      return request.id
    })
    await using worker = await app.startWorker()
    const send = (): Promise<{ id: string; get(options: { timeout: number }): Promise<unknown> }[]> =>
      Promise.all(Array.from({ length: 20 }, () => app.sendTask('row3.run')))
    const before = await send()

    await state.begin(admin, server)
    await expect.poll(() => refused(server.port, state.reply), { timeout: 10_000, interval: 5 }).toBe(true)
    const sending = send()
    await state.end(admin)
    const results = [...before, ...(await sending)]

    const values = await Promise.all(results.map((result) => result.get({ timeout: 15_000 })))
    expect(values).toEqual(results.map(({ id }) => id))
    expect([...runs.values()].filter((count) => count !== 1)).toEqual([])
    expect(worker.counts().failed).toBe(0)
  })
})

/** Whether the server answers so to a command of somebody who does not wait for it to be ready. */
async function refused(port: number, reply: string): Promise<boolean> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  try {
    // A stale replica refuses reads with a reply of its own.
    socket.write(reply === 'MASTERDOWN' ? 'GET key-of-the-test\r\n' : 'SET key-of-the-test 1\r\n')
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    return bytes.toString().startsWith(`-${reply}`)
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
