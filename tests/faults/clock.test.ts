import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { eventually } from '../support/eventually.js'
import { startRedis } from '../support/redis-server.js'
import { nothingIsLeft, runThroughFault, startFaultSite } from './fault-site.js'

const HOUR_MS = 3_600_000

afterEach(() => {
  vi.useRealTimers()
})

/** Set the clock of this process, and leave its timers alone: what an operator or NTP does. */
function setClock(by: number): void {
  const real = Date.now()
  vi.useFakeTimers({ toFake: ['Date'], now: real + by })
}

describe('a clock that jumps', () => {
  it.each([
    { how: 'an hour forward', by: HOUR_MS },
    { how: 'an hour back', by: -HOUR_MS },
  ])('row 1: of the process, $how, changes nothing about what it holds', async ({ how, by }) => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis, settings: { workerLease: 0.6 } })
    await using other = await site.workerApp.startWorker({ concurrency: 10 })
    await runThroughFault(site, {
      name: `clock of the process ${how}`,
      tasks: 500,
      fault: () => Promise.resolve(setClock(by)),
    })
    expect(other.counts().deadLettered).toBe(0)
  })

  it('row 15: of the process, an hour forward, fails no message that is being sent', async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis })
    // Held up for longer than it takes to notice what is over its time.
    await site.observer.call('CLIENT', 'PAUSE', '500')
    const sent = site.send(10)
    setClock(HOUR_MS)
    expect(await sent).toHaveLength(10)
  })

  it('row 1: of the server, past the end of every lease, takes nothing from the living', async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis, settings: { workerLease: 1.5 }, taskMs: 4000 })
    // They renew in turns, half a round apart.
    await sleep(250)
    await using _ = await site.workerApp.startWorker({ concurrency: 10 })
    const results = await site.send(20)
    await site.started(20)
    // New workers are patient for another reason.
    await sleep(1000)
    // As they stand once the server's clock is far ahead: all that was noted lies in the past.
    const { globalKeyprefix: prefix } = site.producer.settings.brokerTransportOptions
    const leases = `${prefix}lovage.leases`
    const past = site.observer.multi()
    for (const tag of await site.observer.hkeys(`${prefix}unacked`))
      past.zadd(`${prefix}unacked_index`, 'XX', '1', tag)
    const consumers = await site.observer.zrange(leases, '0', '-1')
    expect(consumers).toHaveLength(2)
    for (const consumer of consumers) past.zadd(leases, 'XX', '2', consumer)
    await past.exec()
    await eventually(async () => (await site.observer.zcount(leases, '-inf', '2')) === 0)

    await Promise.all(results.map((result) => result.get({ timeout: 20_000 })))
    await nothingIsLeft(site)
    expect(new Set(site.runs.values())).toEqual(new Set([1]))
  })
})
