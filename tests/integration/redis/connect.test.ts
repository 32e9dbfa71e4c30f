import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  closeRedis,
  openRedis,
  ready,
  type RedisClient,
  type RedisConnectionOptions,
} from '../../../src/redis/connect.js'
import { InvalidRedisOptionsError, RedisUnavailableError } from '../../../src/redis/errors.js'
import { eventually } from '../../support/eventually.js'
import { freePort } from '../../support/free-port.js'
import { recordingLog } from '../../support/recording-log.js'
import { redisBinary, redisClient, startRedis } from '../../support/redis-server.js'
import { startProcess } from '../../support/start-process.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { tempDir } from '../../support/temp-dir.js'

/** A client that is closed when the test ends. */
function open(options: RedisConnectionOptions, log = recordingLog()): RedisClient {
  const client = openRedis(options, 'test', log)
  onTestFinished(() => closeRedis(client))
  return client
}

function closing(client: RedisClient): Promise<void> {
  return new Promise((resolve) => void client.once('close', resolve))
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}

describe('logging in', () => {
  it('uses the password of the URL', async () => {
    const server = await startRedis({ args: ['--requirepass', 'p@ss/w:rd'] })
    const client = open({ url: `redis://:p%40ss%2Fw%3Ard@127.0.0.1:${server.port}` })
    await ready(client)
    expect(await client.ping()).toBe('PONG')
  })

  it('uses the user of the URL', async () => {
    const server = await startRedis({ args: ['--user', 'worker', 'on', '>secret', '~*', '&*', '+@all'] })
    const client = open({ url: `redis://worker:secret@127.0.0.1:${server.port}` })
    await ready(client)
    expect(await client.call('ACL', 'WHOAMI')).toBe('worker')
  })

  it('tells of a wrong password without showing it', async () => {
    const server = await startRedis({ args: ['--requirepass', 'right'] })
    const log = recordingLog()
    const client = open({ url: `redis://:hunter2@127.0.0.1:${server.port}` }, log)
    const error = await failure(ready(client, { timeoutMs: 500 }))
    expect(error).toBeInstanceOf(RedisUnavailableError)
    expect(error.message).toMatch(/WRONGPASS/)
    expect(error.message).toContain(`redis://:***@127.0.0.1:${server.port}`)
    expect(Object.keys(error.cause as object)).not.toContain('command')
    const logged = JSON.stringify(log.lines, (_key, value: unknown) =>
      value instanceof Error ? { ...value, message: value.message } : value,
    )
    expect(logged).toContain('WRONGPASS')
    expect(logged).not.toContain('hunter2')
  })

  it('tells that a password is needed', async () => {
    const server = await startRedis({ args: ['--requirepass', 'right'] })
    const client = open({ url: server.url })
    await expect(ready(client, { timeoutMs: 500 })).rejects.toThrow(/NOAUTH/)
  })
})

describe('where it connects to', () => {
  it.each([
    ['renamed', ['--rename-command', 'INFO', '']],
    ['denied by an ACL', ['--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-info']],
  ])('does without INFO where it is %s, and prints nothing', async (_, args) => {
    const warn = vi.spyOn(console, 'warn')
    onTestFinished(() => warn.mockRestore())
    const { url } = await startRedis({ args })
    const client = open({ url })
    await ready(client)
    expect(await client.ping()).toBe('PONG')
    expect(warn).not.toHaveBeenCalled()
  })

  it('reaches a Unix socket and its database', async () => {
    const socket = path.join(await tempDir(), 'redis.sock')
    const server = await startRedis({ args: ['--unixsocket', socket] })
    const client = open({ url: `redis+socket://${socket}?virtual_host=2` })
    await ready(client)
    await client.set('key', 'in 2')
    const two = redisClient(`redis://127.0.0.1:${server.port}/2`)
    expect(await two.get('key')).toBe('in 2')
  })

  it('names its connection after the purpose', async () => {
    const server = await startRedis()
    const client = open({ url: server.url })
    await ready(client)
    expect(await client.call('CLIENT', 'GETNAME')).toBe(`lovage:test:${process.pid}`)
  })

  it('says that a database is not there', async () => {
    const server = await startRedis()
    const client = open({ url: `redis://127.0.0.1:${server.port}/99` })
    await expect(ready(client, { timeoutMs: 500 })).rejects.toThrow(/DB index is out of range/)
  })

  it('wants the name of the primary for sentinels', () => {
    expect(() => openRedis({ url: 'sentinel://h1' }, 'test')).toThrow(InvalidRedisOptionsError)
  })

  it('asks the sentinels for the primary', async () => {
    const primary = await startRedis()
    const sentinel = await startSentinel(primary.port)
    const client = open({
      url: `sentinel://127.0.0.1:${await freePort()};sentinel://127.0.0.1:${sentinel}/1`,
      masterName: 'shop',
    })
    await ready(client)
    await client.set('key', 'by way of a sentinel')
    expect(await redisClient(`redis://127.0.0.1:${primary.port}/1`).get('key')).toBe('by way of a sentinel')
  })

  it('follows the slots of a cluster', async () => {
    const node = await startRedis({
      args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    })
    await redisClient(node.url).call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    const client = open({ url: `redis+cluster://127.0.0.1:${node.port}` })
    await ready(client)
    await client.set('a', '1')
    expect(await redisClient(node.url).get('a')).toBe('1')
  })
})

describe('outages', () => {
  it('comes back after the server was restarted, and tells of it once', async () => {
    const server = await startRedis()
    const log = recordingLog()
    const client = open({ url: server.url }, log)
    await ready(client)

    await server.restart()

    await ready(client)
    expect(await client.ping()).toBe('PONG')
    const levels = log.lines.map(({ level }) => level)
    expect(levels).toEqual(['warn', 'info'])
  })

  it('warns once while there is no server at all', async () => {
    const log = recordingLog()
    const client = open({ url: `redis://127.0.0.1:${await freePort()}` }, log)
    let attempts = 0
    await new Promise<void>((resolve) => {
      client.on('reconnecting', () => (++attempts === 3 ? resolve() : undefined))
    })
    expect(log.lines.map(({ level }) => level)).toEqual(['warn'])
  })

  it('rejects a command that was in flight, and does not run it again', async () => {
    const server = await startRedis()
    const proxy = await startProxy({ port: server.port })
    const direct = redisClient(server.url)
    const client = open({ url: `redis://127.0.0.1:${proxy.port}` })
    await ready(client)
    // Long enough for the command to arrive and be executed, and its reply to be lost on its way.
    proxy.delay(300)
    const command = failure(client.incr('count'))
    await eventually(async () => (await direct.get('count')) === '1', { intervalMs: 5 })
    proxy.cut()
    expect(await command).toBeInstanceOf(Error)
    proxy.delay(0)
    await ready(client)
    expect(await direct.get('count')).toBe('1')
  })

  it('fails at once what is asked while there is no connection', async () => {
    const client = open({ url: `redis://127.0.0.1:${await freePort()}` })
    await expect(client.ping()).rejects.toThrow()
  })

  it('gives up a connection on which replies do not come', async () => {
    const server = await startRedis()
    const proxy = await startProxy({ port: server.port })
    const client = open({ url: `redis://127.0.0.1:${proxy.port}`, socketTimeoutMs: 200 })
    await ready(client)
    proxy.blackhole()
    const closed = closing(client)
    await expect(client.ping()).rejects.toThrow()
    await closed
    proxy.resume()
    await ready(client)
    expect(await client.ping()).toBe('PONG')
  })

  it('leaves a server that has become a replica', async () => {
    const [primary, other] = await Promise.all([startRedis(), startRedis()])
    const client = open({ url: primary.url })
    await ready(client)
    await redisClient(primary.url).replicaof('127.0.0.1', other.port)
    const closed = closing(client)
    await expect(client.set('key', 'value')).rejects.toThrow(/READONLY/)
    await closed
  })
})

describe('ready', () => {
  it('gives up in time where nothing listens', async () => {
    const port = await freePort()
    const client = open({ url: `redis://:pw@127.0.0.1:${port}` })
    const start = performance.now()
    const error = await failure(ready(client, { timeoutMs: 300 }))
    expect(performance.now() - start).toBeLessThan(1500)
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE', cause: { code: 'ECONNREFUSED' } })
    expect(error.message).toContain(`redis://:***@127.0.0.1:${port}`)
  })

  it('gives up in time where a server accepts and says nothing', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const client = open({ url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` })
    const start = performance.now()
    const error = await failure(ready(client, { timeoutMs: 300 }))
    expect(performance.now() - start).toBeLessThan(1500)
    expect(error).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  })

  it('lets any number of callers wait, without a warning of a leak', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const client = open({ url: `redis://127.0.0.1:${await freePort()}` })
    const waits = Array.from({ length: 30 }, () => failure(ready(client, { timeoutMs: 50 })))
    expect(await Promise.all(waits)).toHaveLength(30)
    // Warnings are given in the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toEqual([])
  })

  it('rejects with the reason of its signal', async () => {
    const client = open({ url: `redis://127.0.0.1:${await freePort()}` })
    const controller = new AbortController()
    const waiting = failure(ready(client, { signal: controller.signal }))
    const reason = new Error('not needed any more')
    controller.abort(reason)
    expect(await waiting).toBe(reason)
  })

  it('rejects when the client is closed meanwhile, and from then on', async () => {
    const client = open({ url: `redis://127.0.0.1:${await freePort()}` })
    const waiting = failure(ready(client))
    await closeRedis(client)
    expect(await waiting).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
    await expect(ready(client)).rejects.toThrow(/was closed/)
  })
})

describe('closeRedis', () => {
  it('lets replies under way come in', async () => {
    const server = await startRedis()
    const client = open({ url: server.url })
    await ready(client)
    const reply = client.ping()
    await closeRedis(client)
    expect(await reply).toBe('PONG')
  })

  it('does not wait for a server that says nothing', async () => {
    const server = await startRedis()
    const proxy = await startProxy({ port: server.port })
    const client = open({ url: `redis://127.0.0.1:${proxy.port}` })
    await ready(client)
    proxy.blackhole()
    const start = performance.now()
    await closeRedis(client)
    expect(performance.now() - start).toBeLessThan(3000)
  })

  it('may be called twice', async () => {
    const server = await startRedis()
    const client = open({ url: server.url })
    await ready(client)
    await Promise.all([closeRedis(client), closeRedis(client)])
    await closeRedis(client)
  })
})

/** A sentinel that watches a primary by the name of `shop`; its port. */
async function startSentinel(primaryPort: number): Promise<number> {
  const file = path.join(await tempDir(), 'sentinel.conf')
  const port = await freePort()
  await writeFile(file, `port ${port}\nbind 127.0.0.1\nsentinel monitor shop 127.0.0.1 ${primaryPort} 1\n`)
  await startProcess(redisBinary(), [file, '--sentinel']).waitForLine(/\+monitor master shop/)
  return port
}
