import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { atTestEnd } from '../support/at-test-end.js'
import { buildServer } from '../../src/api/build-server.js'
import { eventually } from '../support/eventually.js'
import { say } from '../support/say.js'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { startRedis, type RedisServer } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'
import { nothingIsLeft, runThroughFault, startFaultSite, type FaultSite } from './fault-site.js'
import { isFullScale, scaled } from '../support/scale.js'
import type { AppOptions } from '../../src/index.js'

/** Promised from Redis being reachable to the start of a new task. */
const STARTS_WITHIN_MS = 10_000
const CYCLES = scaled(5, 100)
const BLACK_HOLE_MS = scaled(3000, 60_000)
const PAUSE_MS = scaled(2000, 10_000)

interface Site {
  readonly redis: RedisServer
  /** Between the server, and the worker and the API. */
  readonly proxy: TcpProxy
  readonly site: FaultSite
  /** What `/readiness` of an API says. */
  readonly isReady: () => Promise<boolean>
  /** Whether the worker's own connection answers within a second. */
  readonly isWorkerConnected: () => Promise<boolean>
}

async function startSite(settings: AppOptions = {}): Promise<Site> {
  const redis = await startRedis({ args: ['--appendonly', 'yes'] })
  const proxy = await startProxy(redis)
  const site = await startFaultSite({ redis, workerPort: proxy.port, settings })
  const app = testApp(`redis://127.0.0.1:${proxy.port}/0`)
  const server = await buildServer({ app, artifactDir: '/nowhere' })
  atTestEnd(() => server.close())
  return {
    redis,
    proxy,
    site,
    isReady: async () => (await server.inject({ url: '/readiness' })).statusCode === 200,
    isWorkerConnected: () =>
      Promise.race([
        site.workerApp.broker.ping(1000).then(
          () => true,
          () => false,
        ),
        sleep(1000).then(() => false),
      ]),
  }
}

interface Outage {
  readonly name: string
  readonly begin: (site: Site) => unknown
  readonly end: (site: Site) => unknown
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'connections refused',
    begin: ({ proxy }) => proxy.refuse(),
    end: ({ proxy }) => proxy.resume(),
  },
  {
    name: 'server killed',
    begin: ({ redis }) => redis.process.kill(),
    end: ({ redis }) => redis.restart(),
  },
  {
    name: 'connections killed, and refused',
    begin: async ({ site, proxy }) => {
      await site.observer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      proxy.refuse()
    },
    end: ({ proxy }) => proxy.resume(),
  },
  {
    name: 'server frozen',
    begin: ({ redis }) => redis.process.signal('SIGSTOP'),
    end: ({ redis }) => redis.process.signal('SIGCONT'),
  },
  {
    name: 'nothing passes for a while',
    begin: ({ proxy }) => proxy.pause(),
    end: ({ proxy }) => proxy.resume(),
  },
]

/** One outage, from which API and worker come back by themselves. @returns milliseconds until a new task started. */
async function live(place: Site, { begin, end }: Outage, lastsMs = 0): Promise<number> {
  const { site } = place
  const from = performance.now()
  await begin(place)
  await eventually(async () => !(await place.isReady()) && !(await place.isWorkerConnected()), {
    timeoutMs: 20_000,
  })
  await sleep(Math.max(0, lastsMs - (performance.now() - from)))
  site.reset()
  await end(place)
  const backAt = performance.now()
  // Past the proxy, by a connection that has to come back itself after some of the outages.
  const [result] = await eventually(() => site.send(1))
  await site.started(1)
  const startedMs = performance.now() - backAt
  expect(startedMs).toBeLessThan(STARTS_WITHIN_MS)
  await eventually(place.isReady)
  await eventually(place.isWorkerConnected)
  await result?.get({ timeout: 20_000 })
  expect([...site.runs.values()]).toEqual([1])
  return startedMs
}

function summary(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b).map(Math.round)
  return `a new task started after ${sorted[sorted.length >> 1]} ms (median), ${sorted.at(-1)} ms (at most)`
}

describe('row 2: outages one after the other', () => {
  it(
    `row 2: after each of ${CYCLES} a new task starts, and readiness is false in between`,
    { timeout: 900_000 },
    async () => {
      const place = await startSite()
      const took: number[] = []
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        const outage = OUTAGES[cycle % OUTAGES.length] as Outage
        took.push(await live(place, outage))
      }
      // Whoever was cut off while it put back what is overdue leaves its mutex until it next renews its lease.
      await nothingIsLeft(place.site, /^unacked_mutex$/)
      say(`${CYCLES} outages of ${OUTAGES.length} kinds: ${summary(took)}`)
    },
  )

  it(
    `row 2: a black hole of ${BLACK_HOLE_MS / 1000} s, in which nothing is closed`,
    { timeout: 300_000 },
    async () => {
      // By which a connection that was open is found to be mute; one of ten seconds outlasts a short black hole.
      const place = await startSite({ brokerTransportOptions: { socketTimeout: scaled(2, 10) } })
      const blackHole: Outage = {
        name: 'black hole',
        begin: ({ proxy }) => proxy.blackhole(),
        end: ({ proxy }) => proxy.resume(),
      }
      const took = await live(place, blackHole, BLACK_HOLE_MS)
      await nothingIsLeft(place.site)
      say(`black hole of ${BLACK_HOLE_MS / 1000} s: ${summary([took])}`)
    },
  )

  it(`row 2: CLIENT PAUSE for ${PAUSE_MS / 1000} s, under load`, { timeout: 120_000 }, async () => {
    const { site, isReady } = await startSite()
    await runThroughFault(site, {
      name: `CLIENT PAUSE for ${PAUSE_MS / 1000} s`,
      tasks: 500,
      async fault() {
        await site.observer.call('CLIENT', 'PAUSE', String(PAUSE_MS))
        expect(await isReady()).toBe(false)
        await site.observer.ping()
      },
    })
    await eventually(isReady)
  })

  if (!isFullScale) return
  it('row 2: frozen for 10 s, under load', { timeout: 120_000 }, async () => {
    const { site, redis } = await startSite()
    await runThroughFault(site, {
      name: 'frozen for 10 s',
      tasks: 500,
      async fault() {
        redis.process.signal('SIGSTOP')
        await sleep(10_000)
        redis.process.signal('SIGCONT')
      },
    })
  })
})
