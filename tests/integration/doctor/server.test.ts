import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { systemClock } from '../../../src/clock.js'
import { complaints, diagnose } from './diagnose.js'

const PERSISTENT = ['--appendonly', 'yes']

describe('a server as it should be', () => {
  it('has nothing said against it', async () => {
    const { url } = await startRedis({ args: PERSISTENT })
    const diagnosis = await diagnose(url)
    // How fast it answers is not this test's business.
    expect(complaints(diagnosis).filter((line) => !line.startsWith('round-trip'))).toEqual([])
    expect(diagnosis.reachability?.found).toContain('127.0.0.1:')
    expect(diagnosis['round-trip']?.found).toMatch(/^[\d.]+ ms$/)
    expect(diagnosis.server?.found).toMatch(/^(Redis|Valkey).* \d+\.\d+\.\d+, standalone, primary$/)
    expect(diagnosis.clients?.found).toMatch(/^\d+ of at most \d+$/)
  })

  it('is not written to', async () => {
    const { url } = await startRedis({ args: PERSISTENT })
    const observer = redisClient(url)
    await observer.lpush('celery', 'something')
    const before = await writesOf(observer)
    await diagnose(url)
    expect(await writesOf(observer)).toEqual(before)
    expect(await observer.keys('*')).toEqual(['celery'])
  })
})

/** Calls of commands that write, by their names. */
async function writesOf(observer: ReturnType<typeof redisClient>): Promise<string[]> {
  const stats = await observer.info('commandstats')
  return stats
    .split('\r\n')
    .filter((line) => /^cmdstat_(?:[lr]push|[sh]?set|z?add|del|eval|publish)/.test(line))
}

describe('eviction', () => {
  it.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random'])(
    'row 13: %s is a fault of a broker, as queues can be evicted',
    async (policy) => {
      const { url } = await startRedis({ args: ['--maxmemory-policy', policy] })
      expect((await diagnose(url))['maxmemory-policy']).toEqual({
        name: 'maxmemory-policy',
        status: 'fault',
        found: expect.stringContaining(policy) as string,
        advice: expect.stringContaining('noeviction') as string,
      })
    },
  )

  it.each([
    ['noeviction', 'ok'],
    ['volatile-lru', 'ok'],
    ['volatile-ttl', 'warning'],
  ])('row 13: %s is %s', async (policy, status) => {
    const { url } = await startRedis({ args: ['--maxmemory-policy', policy] })
    expect((await diagnose(url))['maxmemory-policy']).toMatchObject({ status })
  })

  it('row 13: a result backend of its own may evict, and is warned of', async () => {
    const broker = await startRedis()
    const { url: backend } = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    // The findings of the backend come last.
    const { 'maxmemory-policy': policy } = await diagnose(broker.url, { backend })
    expect(policy).toMatchObject({ status: 'warning', found: expect.stringContaining('results') as string })
  })

  it('row 13: tells that keys were evicted', async () => {
    const { url } = await startRedis({ args: ['--maxmemory-policy', 'volatile-lru'] })
    const observer = redisClient(url)
    await observer.set('celery-task-meta-1', 'x'.repeat(1000), 'EX', 100)
    await observer.config('SET', 'maxmemory', '1')
    await eventually(async () => (await observer.dbsize()) === 0)
    await observer.config('SET', 'maxmemory', '0')
    expect((await diagnose(url))['evicted-keys']).toMatchObject({ status: 'warning', found: /./ })
  })
})

describe('room', () => {
  it('row 14: warns where memory is nearly used up', async () => {
    const { url } = await startRedis()
    const observer = redisClient(url)
    // Not SET: a command of that size leaves a buffer of its size behind for a while, which counts as used.
    await observer.setrange('ballast', 2 ** 24, 'x')
    const used = Number(/used_memory:(\d+)/.exec(await observer.info('memory'))?.[1])
    await observer.config('SET', 'maxmemory', String(Math.round(used / 0.87)))
    expect((await diagnose(url)).memory).toMatchObject({
      status: 'warning',
      found: expect.stringMatching(/MiB of \d+ MiB used \(8\d %\)/) as string,
    })
  })

  it('row 16: warns where nearly all connections are taken', async () => {
    const { url } = await startRedis({ args: ['--maxclients', '20'] })
    await Promise.all(Array.from({ length: 16 }, () => redisClient(url).ping()))
    expect((await diagnose(url)).clients).toMatchObject({
      status: 'warning',
      found: expect.stringMatching(/^1\d of at most 20$/) as string,
    })
  })
})

describe('persistence', () => {
  it('wants an append-only file', async () => {
    const { url } = await startRedis()
    const observer = redisClient(url)
    expect((await diagnose(url)).persistence).toMatchObject({
      status: 'warning',
      advice: 'set appendonly yes',
    })
    await observer.config('SET', 'save', '3600 1')
    expect((await diagnose(url)).persistence).toMatchObject({
      status: 'warning',
      found: expect.stringContaining('snapshots') as string,
    })
  })
})

describe('replication', () => {
  it('row 3: names a replica as a fault, and counts the replicas of a primary', async () => {
    const primary = await startRedis({ args: PERSISTENT })
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
    const observer = redisClient(primary.url)
    await eventually(async () => (await observer.info('replication')).includes('state=online'))

    expect(await diagnose(replica.url)).toMatchObject({
      server: { status: 'fault', found: expect.stringContaining('replica') as string },
      replication: { status: 'ok' },
      permissions: { status: 'unseen' },
      queues: { status: 'ok' },
    })
    expect((await diagnose(primary.url)).replication).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/^1 replica, at most \d+ s and \d+ bytes behind$/) as string,
    })

    await primary.kill()
    await eventually(async () =>
      (await redisClient(replica.url).info('replication')).includes('link_status:down'),
    )
    expect((await diagnose(replica.url)).replication).toMatchObject({ status: 'fault' })
  })

  it('warns of a replica that does not follow', async () => {
    const primary = await startRedis()
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] })
    const observer = redisClient(primary.url)
    await eventually(async () => (await observer.info('replication')).includes('state=online'))
    replica.process.signal('SIGSTOP')
    await observer.set('ballast', 'x'.repeat(17 * 2 ** 20))
    expect((await diagnose(primary.url)).replication).toMatchObject({
      status: 'warning',
      found: expect.stringMatching(/ 1[78]\d{6} bytes behind; 1 not online or late$/) as string,
    })
  })
})

describe('a cluster', () => {
  it('row 6: needs a hash tag in the prefix', async () => {
    const node = await startRedis({
      args: [...PERSISTENT, '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
    })
    const observer = redisClient(node.url)
    await observer.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await eventually(async () => (await observer.cluster('INFO')).includes('cluster_state:ok'))

    const plain = await diagnose(node.url)
    expect(plain['hash-tag']).toMatchObject({
      status: 'fault',
      advice: expect.stringContaining('{shop}') as string,
    })
    expect(plain.server).toMatchObject({
      status: 'ok',
      found: expect.stringContaining(', cluster, primary, the only one') as string,
    })

    const tagged = await diagnose(`redis+cluster://127.0.0.1:${node.port}`, {
      brokerTransportOptions: { globalKeyprefix: '{shop}:' },
    })
    expect(complaints(tagged).filter((line) => !line.startsWith('round-trip'))).toEqual([])
    expect(tagged.queues?.found).toBe('celery 0')
  })
})

describe('the clock', () => {
  it.each([
    [0, 'ok', /^less than/],
    [-5000, 'warning', /ahead$/],
    [90_000, 'fault', /behind$/],
  ])('of this machine %i ms ahead is %s', async (aheadMs, status, found) => {
    const { url } = await startRedis()
    const clock = { ...systemClock, now: () => Date.now() + aheadMs, sleep: () => Promise.resolve() }
    const { 'clock-skew': skew } = await diagnose(url, {}, { clock })
    expect(skew).toMatchObject({ status, found: expect.stringMatching(found) as string })
  })
})

describe('what is denied', () => {
  it('is said to be unseen where CONFIG and INFO are renamed, and the rest is seen', async () => {
    const renamed = ['CONFIG', 'INFO', 'SCAN'].flatMap((command) => ['--rename-command', command, ''])
    const { url } = await startRedis({ args: renamed })
    const diagnosis = await diagnose(url)
    for (const name of [
      'maxmemory-policy',
      'memory',
      'evicted-keys',
      'persistence',
      'clients',
      'replication',
    ]) {
      expect(diagnosis[name], name).toMatchObject({
        status: 'unseen',
        found: expect.stringContaining('this server has no INFO') as string,
      })
    }
    expect(diagnosis['lasting-keys']).toMatchObject({ status: 'unseen' })
    // HELLO tells it.
    expect(diagnosis.server).toMatchObject({
      status: 'ok',
      found: expect.stringMatching(/standalone, primary$/) as string,
    })
    expect(diagnosis.queues).toMatchObject({ status: 'ok', found: 'celery 0' })
    expect(diagnosis['clock-skew']).toMatchObject({ status: 'ok' })
  })

  it('is read from CONFIG where INFO alone is denied', async () => {
    const { url } = await startRedis({
      args: ['--maxmemory-policy', 'allkeys-lru', '--rename-command', 'INFO', ''],
    })
    expect((await diagnose(url))['maxmemory-policy']).toMatchObject({ status: 'fault' })
  })

  it('row 13: is read from INFO where CONFIG is renamed, as managed servers have it', async () => {
    const { url } = await startRedis({
      args: ['--maxmemory-policy', 'allkeys-lru', '--rename-command', 'CONFIG', ''],
    })
    expect((await diagnose(url))['maxmemory-policy']).toMatchObject({ status: 'fault' })
  })
})
