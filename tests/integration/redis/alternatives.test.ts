import { describe, expect, it, onTestFinished } from 'vitest'
import { closeRedis, openSingle, ready } from '../../../src/redis/connect.js'
import { eventually } from '../../support/eventually.js'
import { freePort } from '../../support/free-port.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { Redis } from 'ioredis'

function open(url: string): Redis {
  const client = openSingle({ url }, 'test', '')
  onTestFinished(() => closeRedis(client))
  return client
}

/** Which of the servers it talks to at the moment; undefined between two of them. */
async function portOf(client: Redis): Promise<number | undefined> {
  await ready(client, { timeoutMs: 10_000 })
  const info = await client.call('INFO', 'server').catch(() => '')
  const port = /tcp_port:(\d+)/.exec(String(info))?.[1]
  return port === undefined ? undefined : Number(port)
}

function expectAt(client: Redis, { port }: RedisServer): Promise<boolean> {
  return eventually(async () => (await portOf(client)) === port)
}

describe('several URLs of one setting, separated by ";"', () => {
  it('the first that can be reached is used, and after its loss the next', async () => {
    const [a, b] = await Promise.all([startRedis(), startRedis()])
    const client = open(`redis://127.0.0.1:${await freePort()};${a.url};${b.url}`)
    await expectAt(client, a)
    await a.process.kill()
    await expectAt(client, b)
    await a.restart()
    // One that works is not left because another has come back.
    expect(await portOf(client)).toBe(b.port)
    await b.process.kill()
    await expectAt(client, a)
  })

  it('each has credentials and a database of its own, and one that does not let in is passed over', async () => {
    const [a, b] = await Promise.all([
      startRedis({ args: ['--requirepass', 'right'] }),
      startRedis({ args: ['--requirepass', 'other'] }),
    ])
    const client = open(`redis://:wrong@127.0.0.1:${a.port}/1;redis://:other@127.0.0.1:${b.port}/2`)
    await expectAt(client, b)
    expect(await client.call('CLIENT', 'INFO')).toMatch(/ db=2 /)
  })

  it('a replica is passed over, and one that becomes a replica is left', async () => {
    const [a, b] = await Promise.all([startRedis(), startRedis()])
    const [adminOfA, adminOfB] = [redisClient(a.url), redisClient(b.url)]
    await adminOfA.replicaof('127.0.0.1', b.port)
    const client = open(`${a.url};${b.url}`)
    await expectAt(client, b)
    await adminOfA.replicaof('NO', 'ONE')
    await adminOfB.replicaof('127.0.0.1', a.port)
    await expect(client.set('key', 'value')).rejects.toThrow(/READONLY/)
    await expectAt(client, a)
    await client.set('key', 'value')
  })

  it('says of each why it could not be used', async () => {
    const [one, two] = [await freePort(), await freePort()]
    const client = open(`redis://:secret@127.0.0.1:${one};redis://127.0.0.1:${two}`)
    const failure = ready(client, { timeoutMs: 500 })
    await expect(failure).rejects.toThrow(
      `connect ECONNREFUSED 127.0.0.1:${one}; connect ECONNREFUSED 127.0.0.1:${two}`,
    )
    await expect(failure).rejects.not.toThrow(/secret/)
  })

  it('tasks go on at the next broker when the first is lost', async () => {
    const [a, b] = await Promise.all([startRedis(), startRedis()])
    const app = testApp(`${a.url};${b.url}`)
    const add = app.task('alternatives.add', (x: number, y: number) => x + y)
    await using _worker = await app.startWorker()
    expect(await (await add.delay(1, 2)).get({ timeout: 10_000 })).toBe(3)
    await a.process.kill()
    // Sending waits for a connection, as every connection of worker and producer goes over.
    const value = await eventually(async () => (await add.delay(3, 4)).get({ timeout: 5000 }), {
      timeoutMs: 20_000,
    })
    expect(value).toBe(7)
    expect(await redisClient(b.url).exists('_kombu.binding.celery')).toBe(1)
  })
})
