import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resolveSettings } from '../../../src/app/settings.js'
import type { CelerySettings } from '../../../src/app/celery-settings.js'
import { aclRules, aclUserLines } from '../../../src/doctor/acl-rules.js'
import { patternsOf } from '../../../src/doctor/places.js'
import { startCluster, type RedisCluster } from '../../support/redis-cluster.js'
import { testApp } from '../../support/test-app.js'
import { complaints, diagnose } from './diagnose.js'

const TAGGED: CelerySettings = {
  brokerTransportOptions: { globalKeyprefix: '{shop}:' },
  resultBackendTransportOptions: { globalKeyprefix: 'shop:' },
}

let cluster: RedisCluster

beforeAll(async () => {
  cluster = await startCluster({ primaries: 3, replicas: 0 })
  for (const { client } of cluster.nodes) await client.config('SET', 'appendonly', 'yes')
})
afterAll(() => cluster.stop())

describe('row 6: a cluster of three primaries', () => {
  it('is examined server by server', async () => {
    const [, second] = cluster.nodes
    const diagnosis = await diagnose(cluster.url, TAGGED)
    expect(complaints(diagnosis).filter((line) => !line.startsWith('round-trip'))).toEqual([])
    for (const { server } of cluster.nodes) {
      expect(diagnosis.reachability?.found).toContain(`127.0.0.1:${server.port}`)
    }

    await second?.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const { 'maxmemory-policy': policy } = await diagnose(cluster.url, TAGGED)
    await second?.client.config('SET', 'maxmemory-policy', 'noeviction')
    expect(policy).toMatchObject({
      status: 'fault',
      // The others are left out.
      found: expect.stringMatching(
        new RegExp(`^127.0.0.1:${second?.server.port}: allkeys-lru[^;]*$`),
      ) as string,
    })
  })

  it('is at fault where it is reached as if it were one server', async () => {
    for (const { server } of cluster.nodes) {
      const { status, advice, found } = (await diagnose(server.url, TAGGED)).server ?? {}
      expect(status).toBe('fault')
      expect(found).toMatch(/, cluster, primary, one of 3 that share the keys$/)
      expect(advice).toContain('redis+cluster://')
    }
  })

  it('is at fault without a hash tag', async () => {
    expect((await diagnose(cluster.url))['hash-tag']).toMatchObject({ status: 'fault' })
  })

  it('row 38: is worked by the user that the rules for a cluster make', async () => {
    const settings = resolveSettings(TAGGED)
    const rules = aclRules('worker', ['broker', 'results'], patternsOf(settings, ['celery']), {
      db: 0,
      isCluster: true,
    })
    const [command = '', ...words] = aclUserLines('worker', rules, 'secret').join(' ').split(/\s+/)
    for (const { client } of cluster.nodes) {
      await client.call(command, ...words)
      await client.call('ACL', 'LOG', 'RESET')
    }
    const url = cluster.url.replace('//', '//worker:secret@')
    expect((await diagnose(url, TAGGED, { role: 'worker' })).permissions).toMatchObject({ status: 'ok' })
    for (const { client } of cluster.nodes) await client.call('ACL', 'LOG', 'RESET')

    const app = testApp(url, TAGGED)
    const add = app.task('shop.add', (x: number, y: number) => x + y)
    await using worker = await app.startWorker()
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => add.delay(i, 1)))
    const sums = await Promise.all(results.map((result) => result.get({ timeout: 10_000 })))
    expect(sums).toEqual(sums.map((_, i) => i + 1))
    await worker.stop()
    for (const { client } of cluster.nodes) expect(await client.call('ACL', 'LOG')).toEqual([])
  })
})
