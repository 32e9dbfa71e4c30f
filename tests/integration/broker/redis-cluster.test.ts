import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedisCoordination } from '../../../src/coordination/redis-coordination.js'
import { createRedisBackend } from '../../../src/results/redis-backend.js'
import { createRedisBroker, type RedisBrokerOptions } from '../../../src/broker/redis-broker.js'
import { silentLog } from '../../../src/log.js'
import { atTestEnd } from '../../support/at-test-end.js'
import { startCluster, type RedisCluster } from '../../support/redis-cluster.js'
import { testApp } from '../../support/test-app.js'
import { describeCoordination } from '../coordination/conformance.js'
import { describeGroupsAndChords } from '../results/chord-conformance.js'
import { describeGroupResults } from '../results/group-conformance.js'
import { describeResultBackend, stored } from '../results/conformance.js'
import { describeBroker, send, startConsumer, taskOf } from './conformance.js'
import { describeFanout } from './fanout-conformance.js'
import type { Broker } from '../../../src/broker/broker.js'
import type { ResultBackend } from '../../../src/results/result-backend.js'

let cluster: RedisCluster
let prefixes = 0

beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(async () => {
  // Of all that was done here.
  expect(await cluster.errors('CROSSSLOT')).toBe(0)
  await cluster.stop()
})

async function makeBroker(options: Partial<RedisBrokerOptions> = {}): Promise<Broker> {
  const broker = createRedisBroker({
    connection: { url: cluster.url },
    log: silentLog,
    globalKeyprefix: `{lovage}${++prefixes}:`,
    ...options,
  })
  atTestEnd(() => broker.close())
  await broker.ping(5000)
  return broker
}

/** Whether somebody listens for this result at any of the nodes. */
async function announced(id: string): Promise<boolean> {
  const channel = `celery-task-meta-${id}`
  const found = await Promise.all(cluster.nodes.map(({ client }) => client.pubsub('CHANNELS', channel)))
  return found.flat().length > 0
}

async function makeBackend(): Promise<ResultBackend> {
  const backend = createRedisBackend({ connection: { url: cluster.url }, log: silentLog })
  atTestEnd(() => backend.close())
  await backend.ping(5000)
  return backend
}

describe('row 6: a cluster of three primaries and three replicas', () => {
  describe('as what workers and producers agree by', () => {
    describeCoordination(() => {
      const coordination = createRedisCoordination({
        connection: { url: cluster.url },
        globalKeyprefix: `{lovage}${++prefixes}:`,
        patienceMs: 5000,
        log: silentLog,
      })
      atTestEnd(() => coordination.close())
      return coordination
    })
  })

  describe('as broker', () => {
    describeBroker((deadLetterLimits) => makeBroker(deadLetterLimits && { deadLetterLimits }))
    describeFanout(() => makeBroker())

    it('wakes a waiting consumer at once, not by looking every second', async () => {
      const broker = await makeBroker()
      const consumer = await startConsumer(broker, 'q')
      const never = new AbortController().signal
      const wakes: number[] = []
      for (let i = 0; i < 9; i++) {
        const start = performance.now()
        const waiting = consumer.waitForWork(60_000, never)
        await send(broker, 'q', `t${i}`)
        const handover = await waiting
        wakes.push(performance.now() - start)
        const deliveries = handover ? [handover.delivery] : (await consumer.claim(1)).deliveries
        expect(deliveries.map(taskOf)).toEqual([`t${i}`])
        await consumer.ack(deliveries)
      }
      expect(wakes.toSorted((a, b) => a - b)[4]).toBeLessThan(700)
    })

    it('refuses a key prefix without a hash tag, and names the setting', () => {
      for (const globalKeyprefix of ['', 'shop:', '{}shop']) {
        const options = { connection: { url: cluster.url }, log: silentLog, globalKeyprefix }
        expect(() => createRedisBroker(options)).toThrow(
          `globalKeyprefix: expected a hash tag such as "{shop}", which keeps all keys of a broker in one slot of a ` +
            `cluster, got string ${JSON.stringify(globalKeyprefix)}`,
        )
      }
    })
  })

  describe('as result backend', () => {
    describeResultBackend(makeBackend)
    describeGroupsAndChords(makeBackend)
    describeGroupResults(makeBackend)

    it('spreads results over all primaries', async () => {
      const backend = await makeBackend()
      const ids = Array.from({ length: 60 }, () => randomUUID())
      await backend.store(ids.map((id, i) => stored(id, 'SUCCESS', i)))
      const owners = await Promise.all(ids.map((id) => cluster.ownerOf(`celery-task-meta-${id}`)))
      expect(new Set(owners).size).toBe(3)
      const metas = await Promise.all(ids.map((id) => backend.fetch(id)))
      expect(metas.map((meta) => meta?.result)).toEqual(ids.map((_, i) => i))
    })
  })

  it('row 39: finds a result whose announcement was lost', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    const waiting = backend.wait(id, { timeoutMs: 20_000 })
    const { client } = await cluster.ownerOf(`celery-task-meta-${id}`)
    await expect.poll(async () => announced(id), { timeout: 10_000 }).toBe(true)
    await client.set(`celery-task-meta-${id}`, stored(id, 'SUCCESS', 5).text as string)
    expect(await waiting).toMatchObject({ status: 'SUCCESS', result: 5 })
  })

  it('works tasks end to end', async () => {
    const app = testApp(cluster.url, { brokerTransportOptions: { globalKeyprefix: '{shop}:' } })
    const add = app.task('cluster.add', (x: number, y: number) => x + y)
    await using worker = await app.startWorker()
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => add.delay(i, 1)))
    const values = await Promise.all(results.map((result) => result.get({ timeout: 10_000 })))
    expect(values).toEqual(results.map((_, i) => i + 1))
    const late = await add.applyAsync({ args: [1, 1], countdown: 0.3 })
    expect(await late.get({ timeout: 10_000 })).toBe(2)
    expect(worker.counts().failed).toBe(0)
  })
})
