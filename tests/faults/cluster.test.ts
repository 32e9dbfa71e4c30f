import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.js'
import { startCluster } from '../support/redis-cluster.js'
import { killServerOf, replicated, startCrew, workThrough } from './topology.js'

const TASKS = 500
const SETTINGS = { brokerTransportOptions: { globalKeyprefix: '{shop}:' } }

describe('row 3: on a cluster', () => {
  it('row 3: 500 tasks come through a failover and a migration of their slot, none lost', async () => {
    const cluster = await startCluster()
    const crew = await startCrew(cluster.url, SETTINGS)
    const hasReplica = async (): Promise<void> =>
      replicated((await cluster.ownerOf('{shop}')).client, '{shop}')

    const from = await cluster.ownerOf('{shop}')
    const primaries = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => cluster.ownerOf(key)))
    const to = primaries.find(({ id }) => id !== from.id)
    if (to === undefined) throw new Error('there is one primary only')
    let moving: Promise<void> | undefined
    await workThrough(crew, TASKS, {
      name: 'slot migration',
      replicated: hasReplica,
      begin() {
        moving = cluster.moveSlot('{shop}', to)
        return Promise.resolve()
      },
      end: () => moving ?? Promise.reject(new Error('it has not begun')),
    })
    expect((await cluster.ownerOf('{shop}', to)).id).toBe(to.id)

    const witness = cluster.nodes.find(({ id }) => id !== to.id)
    const hasNewOwner = async (): Promise<boolean> => (await cluster.ownerOf('{shop}', witness)).id !== to.id
    await workThrough(crew, TASKS, {
      name: 'cluster failover',
      replicated: hasReplica,
      begin: () => killServerOf(crew, to.server),
      end: () => eventually(hasNewOwner, { timeoutMs: 20_000 }),
    })
    expect(await cluster.errors('CROSSSLOT')).toBe(0)
  })
})
