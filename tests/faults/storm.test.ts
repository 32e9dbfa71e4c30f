import { expect, it } from 'vitest'
import type { Redis } from 'ioredis'
import { atTestEnd } from '../support/at-test-end.js'
import { eventually } from '../support/eventually.js'
import { say } from '../support/say.js'
import { startSentinelSite } from '../support/redis-sentinel.js'
import { testApp } from '../support/test-app.js'
import { replicated } from './topology.js'
import { scaled } from '../support/scale.js'

const WORKERS = scaled(20, 200)
const TASKS = 5 * WORKERS
const PATIENCE = { timeoutMs: 60_000, intervalMs: 50 }

/** How many connections of each purpose there are. */
async function purposes(redis: Redis): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const [, purpose = ''] of String(await redis.client('LIST')).matchAll(/ name=lovage:([\w-]+):/g))
    counts[purpose] = (counts[purpose] ?? 0) + 1
  return counts
}

async function accepted(redis: Redis): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(await redis.info('stats'))?.[1])
}

it(`row 16: ${WORKERS} workers have five connections each, and come through a failover without a storm`, async () => {
  const { url, transportOptions, clients, primary } = await startSentinelSite()
  const settings = {
    brokerTransportOptions: transportOptions,
    resultBackendTransportOptions: transportOptions,
    publishTimeoutMs: 20_000,
  }
  const done = new Set<string>()
  const startWorker = async (): Promise<void> => {
    const app = testApp(url, settings)
    app.task('storm.run', { bind: true }, ({ request }) => void done.add(request.id))
    const worker = await app.startWorker({ concurrency: 2 })
    atTestEnd(() => worker.stop())
  }
  await Promise.all(Array.from({ length: WORKERS }, startWorker))
  await eventually(async () => {
    expect(await purposes(clients.primary)).toEqual({
      broker: WORKERS,
      'hand-over': WORKERS,
      results: WORKERS,
      'wake-up': WORKERS,
    })
    const listening = await Promise.all(clients.sentinels.map(purposes))
    expect(listening.reduce((sum, { failover = 0 }) => sum + failover, 0)).toBe(WORKERS)
    return true
  }, PATIENCE)

  const producer = testApp(url, settings)
  const send = (): Promise<{ readonly id: string }[]> =>
    Promise.all(
      Array.from({ length: TASKS }, () => producer.sendTask('storm.run', [], {}, { ignoreResult: true })),
    )
  const first = await send()
  await eventually(() => first.every(({ id }) => done.has(id)), PATIENCE)
  await replicated(clients.primary)
  const before = await Promise.all([clients.replica, ...clients.sentinels].map(accepted))
  const from = performance.now()
  await primary.process.kill()
  await eventually(async () => (await clients.replica.info('replication')).includes('role:master'), {
    ...PATIENCE,
    intervalMs: 10,
  })
  const promotedAt = performance.now()
  const rates: number[] = []
  let last = { count: await accepted(clients.replica), at: performance.now() }
  await eventually(async () => {
    const now = { count: await accepted(clients.replica), at: performance.now() }
    rates.push((now.count - last.count) / (now.at - last.at))
    last = now
    const { broker = 0, results = 0, 'wake-up': wakeUps = 0 } = await purposes(clients.replica)
    // The producer has one as well, of which nothing was asked meanwhile.
    return broker >= WORKERS && results >= WORKERS && wakeUps >= WORKERS
  }, PATIENCE)
  const backAt = performance.now()
  const second = await send()
  await eventually(() => second.every(({ id }) => done.has(id)), PATIENCE)

  const after = await Promise.all([clients.replica, ...clients.sentinels].map(accepted))
  const [toPrimary = 0, ...toSentinels] = after.map((count, i) => count - (before[i] ?? 0))
  say(
    `${WORKERS} workers, failover after ${Math.round(promotedAt - from)} ms: all were connected ` +
      `${Math.round(backAt - promotedAt)} ms later, by ${toPrimary} connections to the new primary, at most ` +
      `${Math.round(Math.max(...rates) * 1000)} a second, and ${toSentinels.join(', ')} to the sentinels`,
  )
  // Those that are not answered at once try again beside; none does so all the time.
  const perSecond = toPrimary / (3 * WORKERS) / Math.max(1, (backAt - promotedAt) / 1000)
  expect(perSecond).toBeLessThan(5)
}, 180_000)
