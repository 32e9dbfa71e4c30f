import { describe, expect, it } from 'vitest'
import { replication } from '../../../src/doctor/checks/replication.js'
import { serverKind } from '../../../src/doctor/checks/server-kind.js'
import type { Finding } from '../../../src/doctor/finding.js'
import type { ServerView } from '../../../src/doctor/server-view.js'
import type { ServerCheck, Subject } from '../../../src/doctor/subject.js'

type Facts = Readonly<Record<string, string>>

/** What a check says of a server that says this of itself; for servers that a test cannot start. */
async function saysOf(check: ServerCheck, info: Facts, address = 'cache.example:6379'): Promise<Finding> {
  const view = { address, info: { kind: 'seen', value: new Map(Object.entries(info)) }, hello: new Map() }
  const subject = { endpoint: { kind: 'tcp' }, uses: ['broker', 'results'] }
  return check.look(view as unknown as ServerView, subject as unknown as Subject)
}

const REDIS = { redis_version: '7.2.4', redis_mode: 'standalone', role: 'master' }

describe('the kind of server', () => {
  it.each([
    ['Redis', REDIS, 'Redis 7.2.4, standalone, primary'],
    [
      'Valkey',
      { ...REDIS, server_name: 'valkey', valkey_version: '8.0.1' },
      'Valkey 8.0.1, standalone, primary',
    ],
    [
      'ElastiCache',
      { ...REDIS, os: 'Amazon ElastiCache', redis_version: '6.2.5' },
      'Redis on ElastiCache 6.2.5, standalone, primary',
    ],
    [
      'Valkey on ElastiCache',
      { ...REDIS, os: 'Amazon ElastiCache', valkey_version: '8.0.1' },
      'Valkey on ElastiCache 8.0.1, standalone, primary',
    ],
  ])('is named: %s', async (_, info, found) => {
    expect(await saysOf(serverKind, info)).toEqual({ name: 'server', status: 'ok', found })
  })

  it('is known by the host of ElastiCache where INFO does not tell', async () => {
    const host = 'shop.abc123.0001.euw1.cache.amazonaws.com:6379'
    expect((await saysOf(serverKind, REDIS, host)).found).toMatch(/^Redis on ElastiCache /)
  })

  it.each([
    ['a sentinel', { ...REDIS, redis_mode: 'sentinel' }, /sentinel:\/\//],
    ['too old', { ...REDIS, redis_version: '5.0.14' }, /6\.2 or newer/],
    ['too old by its second number', { ...REDIS, redis_version: '6.0.16' }, /6\.2 or newer/],
    ['a replica', { ...REDIS, role: 'slave' }, /primary/],
  ])('is a fault: %s', async (_, info, advice) => {
    expect(await saysOf(serverKind, info)).toMatchObject({
      status: 'fault',
      advice: expect.stringMatching(advice) as string,
    })
  })
})

describe('replicas', () => {
  const primary = { ...REDIS, master_repl_offset: '50000000' }

  it.each([
    ['on time', 'state=online,offset=49999000,lag=1', 'ok', '1 replica, at most 1 s and 1000 bytes behind'],
    ['late', 'state=online,offset=50000000,lag=45', 'warning', /at most 45 s .*; 1 not online or late$/],
    ['far behind', 'state=online,offset=1000000,lag=1', 'warning', /49000000 bytes behind/],
    ['not online', 'state=wait_bgsave,offset=0,lag=0', 'warning', /1 not online or late$/],
  ])('%s', async (_, replica, status, found) => {
    const finding = await saysOf(replication, { ...primary, slave0: `ip=10.0.0.2,port=6379,${replica}` })
    expect(finding).toMatchObject({
      status,
      found: typeof found === 'string' ? found : (expect.stringMatching(found) as string),
    })
  })
})
