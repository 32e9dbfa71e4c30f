import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.js'
import { makeCertificates } from '../support/certificates.js'
import { startSentinelSite } from '../support/redis-sentinel.js'
import { isRefusal } from '../../src/redis/script.js'
import { testApp } from '../support/test-app.js'
import type { RedisServer } from '../support/redis-server.js'
import { killServerOf, replicated, startCrew, workThrough } from './topology.js'

const TASKS = 500

describe('row 3: with sentinels', () => {
  it('row 3: 500 tasks come through the death of the primary and a switch by hand, none lost', async () => {
    const { url, transportOptions, clients, primary, replica } = await startSentinelSite()
    const crew = await startCrew(url, {
      brokerTransportOptions: transportOptions,
      resultBackendTransportOptions: transportOptions,
    })
    const [sentinel] = clients.sentinels
    const primaryPort = async (): Promise<number> => {
      const [, port] = (await sentinel?.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'shop')) as string[]
      return Number(port)
    }
    const isPrimary = ({ port }: RedisServer): Promise<unknown> =>
      eventually(async () => (await primaryPort()) === port, { timeoutMs: 20_000 })

    await workThrough(crew, TASKS, {
      name: 'death of the primary',
      replicated: () => replicated(clients.primary),
      begin: () => killServerOf(crew, primary),
      end: () => isPrimary(replica),
    })
    // The old primary has to follow the new one before it can stand in for it.
    await primary.restart()
    await eventually(async () => (await clients.replica.info('replication')).includes('connected_slaves:1'), {
      timeoutMs: 20_000,
    })
    // So that it stops taking writes when the sentinels have taken its replica away, long before they tell it.
    await clients.replica.config('SET', 'min-replicas-to-write', 1)
    await workThrough(crew, TASKS, {
      name: 'switch by hand',
      replicated: () => replicated(clients.replica),
      async begin() {
        await sentinel?.call('SENTINEL', 'FAILOVER', 'shop')
        // Until it notices that it has lost its replica, it takes writes that nobody will know of.
        await eventually(() => clients.replica.set('probe', '').then(() => false, isRefusal), {
          timeoutMs: 20_000,
        })
      },
      end: () => isPrimary(primary),
    })
  })

  it('row 36: and all of them on TLS, sentinels and servers verified by name', async () => {
    const certificates = await makeCertificates()
    const { url, transportOptions, clients, primary, replica } = await startSentinelSite(certificates)
    const tls = { sslCaCerts: certificates.ca }
    const crew = await startCrew(url, {
      brokerTransportOptions: transportOptions,
      resultBackendTransportOptions: transportOptions,
      brokerUseSsl: tls,
      redisBackendUseSsl: tls,
    })
    await workThrough(crew, 200, {
      name: 'death of the primary, with TLS',
      replicated: () => replicated(clients.primary),
      begin: () => killServerOf(crew, primary),
      end: () =>
        eventually(async () => (await clients.replica.info('replication')).includes('role:master'), {
          timeoutMs: 20_000,
        }),
    })
    // The name that everybody was told of, which a certificate has to be for.
    const [sentinel] = clients.sentinels
    expect(await sentinel?.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'shop')).toEqual([
      'localhost',
      String(replica.port),
    ])
    const other = testApp(url, {
      brokerTransportOptions: transportOptions,
      brokerUseSsl: { sslCaCerts: certificates.otherCa },
    })
    await expect(other.broker.ping(2000)).rejects.toThrow(/not issued by a trusted authority/)
  })
})
