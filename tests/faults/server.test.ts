import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.js'
import { startRedis } from '../support/redis-server.js'
import { nothingIsLeft, runThroughFault, startFaultSite } from './fault-site.js'

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']

describe('a server that goes away and comes back', () => {
  it('row 2: restarted with its append-only file', async () => {
    const redis = await startRedis({ args: DURABLE })
    const site = await startFaultSite({ redis })
    await runThroughFault(site, {
      name: 'restart with AOF',
      tasks: 500,
      fault: () => redis.restart(),
    })
  })

  it('row 2: stopped for 3 s, connections and all', async () => {
    const redis = await startRedis({ args: DURABLE })
    const site = await startFaultSite({ redis })
    await runThroughFault(site, {
      name: 'away for 3 s',
      tasks: 500,
      async fault() {
        await redis.process.kill()
        await sleep(3000)
        await redis.restart()
      },
    })
  })

  it('row 1: and takes nothing from workers whose leases ran out meanwhile, since they live', async () => {
    const redis = await startRedis({ args: DURABLE })
    const settings = { workerLease: 1, workerPrefetchMultiplier: 1 }
    const site = await startFaultSite({ redis, settings, taskMs: 5000 })
    // Its lease is to end before that of the others.
    await sleep(200)
    const others = await Promise.all([1, 2].map(() => site.workerApp.startWorker({ concurrency: 10 })))
    const results = await site.send(30)
    await site.started(30)
    await redis.process.kill()
    await sleep(2000)
    await redis.restart()

    await Promise.all(results.map((result) => result.get({ timeout: 30_000 })))
    await nothingIsLeft(site)
    expect([...site.runs.values()].filter((count) => count > 1)).toEqual([])
    await Promise.all(others.map((worker) => worker.stop()))
  })

  it('row 3: still loading its data', async () => {
    // Some microseconds a key, so that loading takes a moment, in which the server answers LOADING.
    const slowly = ['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024']
    const redis = await startRedis({ args: [...DURABLE, ...slowly] })
    const site = await startFaultSite({ redis })
    const filler = Array.from({ length: 2000 }, (_, i) => [`filler:${i}`, 'x'.repeat(50)]).flat()
    for (let first = 0; first < filler.length; first += 2)
      void site.observer.set(filler[first] ?? '', filler[first + 1] ?? '')
    await site.observer.ping()
    await runThroughFault(site, {
      name: 'LOADING',
      tasks: 500,
      fault: () => redis.restart(),
    })
  })

  it('row 3: a replica for a second, READONLY', async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis })
    await runThroughFault(site, {
      name: 'READONLY',
      tasks: 500,
      async fault() {
        await site.observer.replicaof('127.0.0.1', 1)
        await sleep(1000)
        await site.observer.replicaof('NO', 'ONE')
      },
    })
  })

  it('cannot save what it has, MISCONF, as on a full disk', async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis })
    const { observer } = site
    const isSaved = async (): Promise<string | undefined> =>
      /rdb_last_bgsave_status:(\w+)/.exec(await observer.info('persistence'))?.[1]
    // Where the dump is to stand there is a folder.
    const dump = path.join(redis.directory, 'dump.rdb')
    await runThroughFault(site, {
      name: 'MISCONF for a second',
      tasks: 500,
      async fault() {
        await mkdir(path.join(dump, 'full'), { recursive: true })
        await observer.config('SET', 'save', '3600 1')
        await observer.bgsave()
        await eventually(async () => (await isSaved()) === 'err')
        await expect(site.send(1)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', mayHaveBeenSent: false })
        await sleep(1000)
        await rm(dump, { recursive: true })
        await observer.bgsave()
        await eventually(async () => (await isSaved()) === 'ok')
      },
    })
  })

  it('goes on after SCRIPT FLUSH', async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis })
    await runThroughFault(site, {
      name: 'SCRIPT FLUSH',
      tasks: 500,
      fault: () => site.observer.script('FLUSH'),
    })
  })

  it('row 2: kills every connection, ten times', async () => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis })
    await runThroughFault(site, {
      name: 'CLIENT KILL, ten times',
      tasks: 1000,
      async fault() {
        for (let i = 0; i < 10; i++) {
          await site.observer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
          await site.observer.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
          await sleep(50)
        }
      },
    })
  })
})

describe('a server that says nothing for a while', () => {
  it.each([
    { how: 'its clients wait', socketTimeout: 10 },
    { how: 'its clients give up and come again, while it has their commands still', socketTimeout: 0.5 },
  ])('row 2: frozen for 3 s; $how', async ({ socketTimeout }) => {
    const redis = await startRedis()
    const site = await startFaultSite({ redis, settings: { brokerTransportOptions: { socketTimeout } } })
    await runThroughFault(site, {
      name: `frozen for 3 s, socket timeout ${socketTimeout} s`,
      tasks: 500,
      async fault() {
        redis.process.signal('SIGSTOP')
        await sleep(3000)
        redis.process.signal('SIGCONT')
      },
    })
  })
})
