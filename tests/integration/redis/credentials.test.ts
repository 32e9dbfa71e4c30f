import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Redis } from 'ioredis'
import { closeRedis, openRedis, openSingle, ready, type RedisClient } from '../../../src/redis/connect.js'
import { eventually } from '../../support/eventually.js'
import { recordingLog } from '../../support/recording-log.js'
import { say } from '../../support/say.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { testApp } from '../../support/test-app.js'
import type { RedisCredentials } from '../../../src/redis/credentials.js'

interface TokenSite {
  readonly port: number
  readonly admin: Redis
  /** Gives out a new password at each call, after which the one before opens nothing any more. */
  readonly provider: () => Promise<RedisCredentials>
  /** Whatever was given out is worth nothing from now on. */
  rotate(): Promise<string>
  readonly given: () => number
}

/** A server whose user `app` has a password that changes. */
async function startTokenSite(
  options: { readonly lifeMs?: number; readonly args?: string[] } = {},
): Promise<TokenSite> {
  const { port, url } = await startRedis({ args: options.args ?? [] })
  const admin = redisClient(url)
  let given = 0
  const rotate = async (): Promise<string> => {
    const password = `token-${++given}`
    await admin.call('ACL', 'SETUSER', 'app', 'on', 'resetpass', `>${password}`, '~*', '&*', '+@all')
    return password
  }
  return {
    port,
    admin,
    rotate,
    given: () => given,
    async provider() {
      const password = await rotate()
      const expiresAt = options.lifeMs === undefined ? undefined : new Date(Date.now() + options.lifeMs)
      return { username: 'app', password, expiresAt }
    },
  }
}

function openFor<Client extends RedisClient>(client: Client): Client {
  onTestFinished(() => closeRedis(client))
  return client
}

/** How often somebody logged in, since the server started. */
async function logins(admin: Redis): Promise<number> {
  const stats = await admin.info('commandstats')
  return Number(/cmdstat_auth:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

describe('row 37: credentials that change', () => {
  it('the provider is asked for every connection, so that a rotated password is not used again', async () => {
    const site = await startTokenSite()
    const url = `redis://nobody:stale@127.0.0.1:${site.port}/3`
    const client = openFor(openRedis({ url, credentials: site.provider }, 'test'))
    await ready(client)
    expect(await client.call('ACL', 'WHOAMI')).toBe('app')
    expect(String(await client.call('CLIENT', 'INFO'))).toMatch(/ db=3 /)
    for (let round = 0; round < 3; round++) {
      await site.rotate()
      await site.admin.call('CLIENT', 'KILL', 'USER', 'app')
      await eventually(async () => (await client.ping()) === 'PONG')
    }
  })

  it('takes the user of the URL where the provider names none', async () => {
    const site = await startTokenSite()
    const credentials = async (): Promise<RedisCredentials> => ({ password: await site.rotate() })
    const client = openFor(openRedis({ url: `redis://app@127.0.0.1:${site.port}`, credentials }, 'test'))
    await ready(client)
    expect(await client.call('ACL', 'WHOAMI')).toBe('app')
  })

  it('a connection logs in again before its credentials expire, and stays open', async () => {
    const site = await startTokenSite({ lifeMs: 400 })
    const url = `redis://127.0.0.1:${site.port}`
    const client = openFor(openRedis({ url, credentials: site.provider }, 'test'))
    await ready(client)
    const id = await client.call('CLIENT', 'ID')
    const start = performance.now()
    await eventually(async () => (await logins(site.admin)) >= 5)
    // Each was renewed after 70 to 80 percent of its time.
    expect(performance.now() - start).toBeGreaterThan(4 * 0.7 * 400 - 50)
    expect(await client.call('CLIENT', 'ID')).toBe(id)
    expect(await client.call('ACL', 'WHOAMI')).toBe('app')
  })

  it('does not come between the commands of a transaction', async () => {
    const site = await startTokenSite({ lifeMs: 10 })
    const url = `redis://127.0.0.1:${site.port}`
    const client = openFor(openSingle({ url, credentials: site.provider }, 'test', ''))
    await ready(client)
    let transactions = 0
    await eventually(async () => {
      // AUTH within MULTI is an error, and would make EXEC fail.
      const batch = Array.from({ length: 20 }, () => client.multi().incr('count').incr('count').exec())
      for (const replies of await Promise.all(batch)) {
        expect(replies?.map(([error]) => error)).toEqual([null, null])
        transactions++
      }
      return site.given() >= 50
    })
    expect(Number(await client.get('count'))).toBe(2 * transactions)
  })

  it('a connection that has subscribed is opened anew, as it may not log in again', async () => {
    const site = await startTokenSite({ lifeMs: 400 })
    const log = recordingLog()
    const url = `redis://127.0.0.1:${site.port}`
    const client = openFor(openRedis({ url, credentials: site.provider }, 'test', log))
    let isReady = 0
    client.on('ready', () => {
      isReady++
      void client.subscribe('channel')
    })
    await eventually(() => isReady >= 4)
    // Which is no outage.
    expect(log.lines).toEqual([])
  })

  it('and so is one that is subscribing at that moment', async () => {
    // Long enough that a busy machine does not come too late with the next.
    const site = await startTokenSite({ lifeMs: 1000 })
    const proxy = await startProxy(site)
    // So that it is nearly always on its way to a confirmation.
    proxy.delay(10)
    const log = recordingLog()
    const url = `redis://127.0.0.1:${proxy.port}`
    const client = openFor(openSingle({ url, credentials: site.provider }, 'test', '', log))
    const renewals = async (): Promise<boolean> => {
      if (client.status === 'ready') {
        await client.subscribe('channel').catch(() => undefined)
        await client.unsubscribe('channel').catch(() => undefined)
      }
      return site.given() >= 12
    }
    await eventually(renewals, { timeoutMs: 25_000 })
    expect(log.lines).toEqual([])
  })

  it('goes on trying where the provider fails, and says why it cannot connect', async () => {
    const site = await startTokenSite()
    let calls = 0
    const credentials = (): Promise<RedisCredentials> =>
      ++calls < 4 ? Promise.reject(new Error('the vault is sealed')) : site.provider()
    const url = `redis://127.0.0.1:${site.port}`
    const log = recordingLog()
    const client = openFor(openRedis({ url, credentials }, 'test', log))
    await ready(client)
    expect(log.lines[0]?.fields.err).toMatchObject({
      code: 'CREDENTIALS_UNAVAILABLE',
      message: 'the provider of credentials failed: the vault is sealed',
    })
  })

  it.each([
    [{}, /password of the provided credentials: expected a string, got undefined/],
    [{ password: 'x', expiresAt: 5 }, /expiresAt of the provided credentials: expected a Date, got number 5/],
  ])('says what is wrong with %j', async (provided, message) => {
    const url = `redis://127.0.0.1:1`
    const client = openFor(openRedis({ url, credentials: () => provided as RedisCredentials }, 'test'))
    await expect(ready(client, { timeoutMs: 200 })).rejects.toThrow(message)
  })

  it('serves the nodes of a cluster, and keeps them logged in', async () => {
    const site = await startTokenSite({
      lifeMs: 600,
      args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    })
    await site.admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    // A stranger gets nowhere.
    await site.admin.call('ACL', 'SETUSER', 'default', 'nocommands', '+acl', '+info', '+cluster', '+client')
    const options = { url: `redis+cluster://127.0.0.1:${site.port}`, credentials: site.provider }
    for (const client of [openFor(openRedis(options, 'test')), openFor(openSingle(options, 'test', 'key'))]) {
      await ready(client)
      await client.set('key', 'value')
      const before = await logins(site.admin)
      await eventually(async () => (await logins(site.admin)) >= before + 3)
      expect(await client.get('key')).toBe('value')
    }
  })

  it('tasks go on while passwords rotate and connections with old ones are closed', async () => {
    const site = await startTokenSite({ lifeMs: 500 })
    const url = `redis://127.0.0.1:${site.port}`
    const credentials = { brokerCredentials: site.provider, backendCredentials: site.provider }
    const app = testApp(url, credentials)
    const add = app.task('credentials.add', (x: number, y: number) => x + y)
    await using _worker = await app.startWorker()
    let slowestMs = 0
    const end = performance.now() + 3000
    for (let i = 0; performance.now() < end; i++) {
      const start = performance.now()
      // What was sent when its connection was closed may have been lost or not; sending says so, and is repeated here.
      const value = await eventually(async () => (await add.delay(i, 1)).get({ timeout: 5000 }))
      expect(value).toBe(i + 1)
      slowestMs = Math.max(slowestMs, performance.now() - start)
      if (i % 20 === 10) await site.admin.call('CLIENT', 'KILL', 'USER', 'app')
      await sleep(5)
    }
    say(`${site.given()} passwords in 3 s; the slowest task took ${Math.round(slowestMs)} ms`)
    expect(site.given()).toBeGreaterThan(10)
    expect(slowestMs).toBeLessThan(5000)
  })
})
