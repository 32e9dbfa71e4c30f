import { randomUUID } from 'node:crypto'
import { beforeAll, afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Redis } from 'ioredis'
import { createResultSubscriptions } from '../../../src/results/subscriptions.js'
import { openSingle, ready } from '../../../src/redis/connect.js'
import { parseResultMeta } from '../../../src/serialization/result-meta.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'
import { silentLog } from '../../../src/log.js'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.js'
import { stored } from './conformance.js'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

const WITHIN = { timeout: 10_000, interval: 5 }
/** Longer than whatever a test does meanwhile. */
const LAG_MS = 400

interface Site {
  /** On the way of announcements, and on that of what is looked up. */
  readonly announcing: TcpProxy
  readonly looking: TcpProxy
  /** States in the order in which a listener was told, who begins now. */
  readonly follow: () => string[]
  /** Store a state and announce it, as every writer does in one step. */
  readonly store: (status: string) => Promise<unknown>
  /** Resolves when the server knows of the subscription. */
  readonly subscribed: () => Promise<void>
  /** Resolves when the server has executed so many looks. */
  readonly looked: (count: number) => Promise<void>
}

async function startSite(): Promise<Site> {
  const [announcing, looking] = [await startProxy(server), await startProxy(server)]
  const observer = redisClient(server.url)
  await observer.config('RESETSTAT')
  const client = openSingle({ url: `redis://127.0.0.1:${announcing.port}` }, 'result-waits', '')
  const lookUp: Redis = redisClient(`redis://127.0.0.1:${looking.port}`)
  await Promise.all([ready(client), lookUp.ping()])
  const subscriptions = createResultSubscriptions({
    client,
    channelOf: (taskId) => taskId,
    fetchMany: (ids) => lookUp.mgetBuffer(...ids),
    parse: (text) => parseResultMeta(text),
    log: silentLog,
  })
  onTestFinished(() => subscriptions.close())
  const id = randomUUID()
  return {
    announcing,
    looking,
    follow() {
      const told: string[] = []
      onTestFinished(subscriptions.watch(id, ({ status }) => told.push(status)))
      return told
    },
    async store(status) {
      const { text } = stored(id, status, null)
      return observer.multi().set(id, String(text)).publish(id, String(text)).exec()
    },
    subscribed: () =>
      vi.waitFor(async () => expect(await observer.pubsub('NUMSUB', id)).toEqual([id, 1]), WITHIN),
    looked: (count) =>
      vi.waitFor(
        async () => expect(await observer.info('commandstats')).toMatch(`cmdstat_mget:calls=${count}`),
        WITHIN,
      ),
  }
}

describe('states that are followed come in their order', () => {
  it('where announcements lag behind what is looked up', async () => {
    const { announcing, follow, store, subscribed } = await startSite()
    announcing.delay(LAG_MS)
    const told = follow()
    await subscribed()
    // Long before the subscription is confirmed and the look begins.
    for (const status of ['STARTED', 'RETRY', 'PROGRESS']) await store(status)
    await vi.waitFor(() => expect(told).not.toEqual([]), WITHIN)
    await store('SUCCESS')
    await vi.waitFor(() => expect(told).toContain('SUCCESS'), WITHIN)
    expect(told).toEqual(['PROGRESS', 'SUCCESS'])
  })

  it('where what is looked up lags behind announcements', async () => {
    const { looking, follow, store, looked } = await startSite()
    await store('STARTED')
    looking.delay(LAG_MS)
    const told = follow()
    await looked(1)
    await store('RETRY')
    await store('PROGRESS')
    await vi.waitFor(() => expect(told).toHaveLength(3), WITHIN)
    expect(told).toEqual(['STARTED', 'RETRY', 'PROGRESS'])
  })

  it('where another follows the same task already', async () => {
    const { announcing, looking, follow, store, looked } = await startSite()
    await store('STARTED')
    const first = follow()
    await vi.waitFor(() => expect(first).toEqual(['STARTED']), WITHIN)
    announcing.delay(LAG_MS)
    looking.delay(2 * LAG_MS)
    // On its way while the second looks, and older than what that finds.
    await store('RETRY')
    await store('PROGRESS')
    const second = follow()
    await looked(2)
    await store('SUCCESS')
    await vi.waitFor(() => expect(first).toEqual(['STARTED', 'RETRY', 'PROGRESS', 'SUCCESS']), WITHIN)
    await vi.waitFor(() => expect(second).toContain('SUCCESS'), WITHIN)
    expect(second).toEqual(['RETRY', 'PROGRESS', 'SUCCESS'].filter((status) => second.includes(status)))
  })

  it('and the last of them waits for no look', async () => {
    const { looking, follow, store, subscribed } = await startSite()
    looking.pause()
    const told = follow()
    await subscribed()
    await store('PROGRESS')
    await store('SUCCESS')
    await vi.waitFor(() => expect(told).toEqual(['PROGRESS', 'SUCCESS']), WITHIN)
    looking.resume()
  })
})
