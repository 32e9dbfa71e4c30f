import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Redis } from 'ioredis'
import { eventually } from '../support/eventually.js'
import { startRedis, type RedisServer } from '../support/redis-server.js'
import { say } from '../support/say.js'
import { nothingIsLeft, runThroughFault, startFaultSite } from './fault-site.js'
import { scaled } from '../support/scale.js'

/** From now on the server refuses what takes memory. */
async function fill(observer: Redis): Promise<void> {
  await observer.config('SET', 'maxmemory', '1mb')
  await expect(observer.set('filler', 'x')).rejects.toThrow(/^OOM/)
}

async function makeRoom(observer: Redis): Promise<void> {
  await observer.config('SET', 'maxmemory', '0')
}

function outOfMemory(): Promise<RedisServer> {
  return startRedis({ args: ['--maxmemory-policy', 'noeviction'] })
}

describe('row 14: a server out of memory, noeviction', () => {
  it('row 14: holds the results there is no room for, and goes on by itself when there is', async () => {
    const redis = await outOfMemory()
    // Larger than their messages, or they would be stored in their place.
    const site = await startFaultSite({ redis, resultBytes: 3000 })
    await runThroughFault(site, {
      name: 'OOM for 2 s',
      tasks: 500,
      async fault() {
        await fill(site.observer)
        await site.observer.config('RESETSTAT')
        await sleep(2000)
        // It pauses longer each time.
        const refused = /errorstat_OOM:count=(\d+)/.exec(await site.observer.info('errorstats'))?.[1]
        expect(Number(refused)).toBeGreaterThan(0)
        expect(Number(refused)).toBeLessThan(50)
        await makeRoom(site.observer)
      },
    })
  })

  it('row 14: works on and empties the queue where no result has to be kept', async () => {
    const redis = await outOfMemory()
    const site = await startFaultSite({ redis })
    const sent = await site.send(1000, { ignoreResult: true })
    await site.started(50)
    await fill(site.observer)
    await site.started(sent.length)
    await nothingIsLeft(site)
    expect(new Set(site.runs.values())).toEqual(new Set([1]))
    await expect(site.observer.set('filler', 'x')).rejects.toThrow(/^OOM/)
  })

  it('row 14: empties a queue that fills the memory, results and all', async () => {
    const redis = await outOfMemory()
    const gate = await startFaultSite({ redis, worker: { queues: ['nobody'] } })
    const { observer, producer } = gate
    const used = Number(/used_memory:(\d+)/.exec(await observer.info('memory'))?.[1])
    await observer.config('SET', 'maxmemory', String(used + 2 ** 20))
    const sent: string[] = []
    const sendUntilRefused = async (): Promise<void> => {
      for (;;) sent.push((await producer.sendTask('faults.run')).id)
    }
    await expect(sendUntilRefused()).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' })

    const worker = await gate.workerApp.startWorker({ concurrency: 10 })
    await gate.started(sent.length)
    await Promise.all(sent.map((id) => producer.asyncResult(id).get({ timeout: 20_000 })))
    await nothingIsLeft(gate)
    say(`memory full of tasks: ${sent.length} sent, ${gate.runs.size} ran, none had to be freed`)
    expect(new Set(gate.runs.values())).toEqual(new Set([1]))
    await worker.stop()
  })

  it('row 14: keeps the leases of workers, so that nobody takes what they hold', async () => {
    const redis = await outOfMemory()
    const site = await startFaultSite({ redis, settings: { workerLease: 0.6 }, taskMs: 3000 })
    const results = await site.send(10)
    await site.started(10)
    await fill(site.observer)
    const { globalKeyprefix } = site.producer.settings.brokerTransportOptions
    const leaseEnd = async (): Promise<number> =>
      Number((await site.observer.zrange(`${globalKeyprefix}lovage.leases`, '0', '0', 'WITHSCORES'))[1])
    const before = await leaseEnd()
    await eventually(async () => (await leaseEnd()) > before + 0.6)
    await makeRoom(site.observer)
    // Comes with leases of its own, and would take what belongs to a worker whose lease is over.
    await using other = await site.workerApp.startWorker({ concurrency: 10 })
    await Promise.all(results.map((result) => result.get({ timeout: 20_000 })))
    expect(new Set(site.runs.values())).toEqual(new Set([1]))
    expect(other.counts().started).toBe(0)
  })

  it('row 14: tells a producer at once, and that nothing was sent', async () => {
    const redis = await outOfMemory()
    const site = await startFaultSite({ redis })
    await fill(site.observer)
    await expect(site.send(1)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', mayHaveBeenSent: false })
    await makeRoom(site.observer)
    const [result] = await site.send(1)
    expect(await result?.get({ timeout: 10_000 })).toBe(result?.id)
  })

  it('says of each message of a write whether it was sent', async () => {
    const redis = await outOfMemory()
    const site = await startFaultSite({ redis, worker: { queues: ['another'] } })
    // The one list is a hash, which Redis refuses to push to.
    const prefix = site.producer.settings.brokerTransportOptions.globalKeyprefix
    await site.observer.hset(`${prefix}wrong`, 'x', 'y')
    const outcomes = await Promise.allSettled([
      site.producer.sendTask('t', [], {}, { queue: 'wrong' }),
      site.producer.sendTask('t', [], {}, { queue: 'right' }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(await site.producer.broker.queueLength('right')).toBe(1)
  })
})

describe('row 12: a result that the server takes from nobody', () => {
  // A dozen connections are broken and opened again until the result is known to be the reason.
  it('row 12: fails its task with the reason, and holds up no other', { timeout: 150_000 }, async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis })
    await site.observer.config('SET', 'proto-max-bulk-len', String(2 ** 20))
    site.workerApp.task('faults.huge', () => 'x'.repeat(2 ** 21))
    const huge = await site.producer.sendTask('faults.huge')
    const others = await site.send(50)
    await Promise.all(others.map((result) => result.get({ timeout: 20_000 })))
    await expect(huge.get({ timeout: 100_000 })).rejects.toMatchObject({ excType: 'ResultRefusedError' })
    await nothingIsLeft(site)
  })

  it('row 12: fails its task where it is larger than resultMaxBytes, whatever it is that is too large', async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis, settings: { resultMaxBytes: 2000 } })
    const { workerApp, producer } = site
    workerApp.task('faults.large', () => 'x'.repeat(2000))
    workerApp.task('faults.sorry', () => {
      throw new RangeError('x'.repeat(2000))
    })
    workerApp.task('faults.progress', { bind: true }, async (task) => {
      await task.updateState('PROGRESS', { log: 'x'.repeat(2000) })
    })
    const failureOf = async (name: string): Promise<unknown> =>
      (await producer.sendTask(name)).get({ timeout: 10_000 }).catch((error: unknown) => error)
    const tooLarge = expect.stringMatching(/resultMaxBytes allows 2000/) as string
    expect(await failureOf('faults.large')).toMatchObject({
      excType: 'ResultTooLargeError',
      message: tooLarge,
    })
    expect(await failureOf('faults.progress')).toMatchObject({ excType: 'ResultTooLargeError' })
    expect(await failureOf('faults.sorry')).toMatchObject({ excType: 'RangeError', message: tooLarge })
    const [small] = await site.send(1)
    expect(await small?.get({ timeout: 10_000 })).toBe(small?.id)
  })
})

describe('row 13: a server that evicts', () => {
  it('row 13: under volatile-lru drops results, and never a task', { timeout: 300_000 }, async () => {
    const redis = await startRedis({ args: ['--maxmemory-policy', 'volatile-lru'] })
    const site = await startFaultSite({ redis, taskMs: 0, resultBytes: 2000 })
    const { observer } = site
    const used = Number(/used_memory:(\d+)/.exec(await observer.info('memory'))?.[1])
    // Room for a part of the results, beside the tasks that wait.
    await observer.config('SET', 'maxmemory', String(used + 5 * 2 ** 20))
    const tasks = scaled(5000, 50_000)
    for (let sent = 0; sent < tasks; sent += 500) {
      await site.send(500)
      await site.started(sent + 500)
    }
    await nothingIsLeft(site)
    const evicted = Number(/evicted_keys:(\d+)/.exec(await observer.info('stats'))?.[1])
    say(`volatile-lru: ${tasks} sent, ${site.runs.size} ran, ${evicted} results evicted`)
    expect([...site.runs.values()].filter((count) => count !== 1)).toEqual([])
    expect(evicted).toBeGreaterThan(0)
    await eventually(() => site.worker.counts().succeeded === tasks)
  })
})
