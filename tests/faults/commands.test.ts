import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.js'
import { loadScript } from '../../src/redis/script.js'
import { redisClient, startRedis, type RedisServer } from '../support/redis-server.js'
import { startCommandProxy, type CommandFate } from '../support/command-proxy.js'
import { testApp } from '../support/test-app.js'
import { say } from '../support/say.js'
import { nothingIsLeft, runThroughFault, startFaultSite } from './fault-site.js'

/** What a worker's scripts are called in these tests. */
const SCRIPTS = {
  claim: '../../src/broker/lua/claim.lua',
  store: '../../src/results/lua/store.lua',
  ack: '../../src/broker/lua/ack.lua',
  renew: '../../src/broker/lua/renew.lua',
}

function runsScript(name: keyof typeof SCRIPTS): (command: readonly string[]) => boolean {
  const { sha1, lua } = loadScript(new URL(SCRIPTS[name], import.meta.url))
  return ([, script]) => script === sha1 || script === lua
}

const FATES: readonly CommandFate[] = ['cut-before', 'lose-reply', 'truncate-reply']
const RUNS_AT_ONCE = 6

describe('a connection that breaks at one command', () => {
  it.each(Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[])(
    'row 4: loses no message at any %s: cut before it, its reply lost, its reply truncated',
    async (name) => {
      const redis = await startRedis()
      const proxy = await startCommandProxy(redis)
      const site = await startFaultSite({
        redis,
        workerPort: proxy.port,
        settings: { workerLease: name === 'renew' ? 0.6 : 30 },
      })
      const isIt = runsScript(name)
      for (const fate of FATES) {
        await runThroughFault(site, {
          name: `${name}, ${fate}`,
          tasks: 300,
          fault: () =>
            new Promise<void>((struck) => {
              proxy.decide = (command) => {
                if (!isIt(command)) return 'pass'
                proxy.decide = () => 'pass'
                struck()
                return fate
              }
            }),
        })
      }
    },
  )

  // Some hundred and seventy runs.
  it(
    'row 4: loses none of the messages of a run, whichever of its commands is hit',
    { timeout: 150_000 },
    async () => {
      const redis = await startRedis()
      let number = 0
      let hits = 0
      let repeated = 0
      let isBeyond = false
      const lane = async (): Promise<void> => {
        while (!isBeyond) {
          number++
          for (const fate of ['cut-before', 'lose-reply'] as const) {
            const run = await runEverything(redis, number, fate)
            if (run.wasHit) hits++
            else isBeyond = true
            repeated += run.repeated
          }
        }
      }
      await Promise.all(Array.from({ length: RUNS_AT_ONCE }, lane))
      say(`${hits} runs, each hit at one command: ${repeated} tasks ran again`)
      expect(hits).toBeGreaterThan(80)
    },
  )

  it.each([
    { fate: 'cut-before', pushed: 0 },
    { fate: 'lose-reply', pushed: 1 },
    { fate: 'truncate-reply', pushed: 1 },
  ] as const)('tells a producer that its message may have been sent: $fate', async ({ fate, pushed }) => {
    const redis = await startRedis()
    const proxy = await startCommandProxy(redis)
    const app = testApp(`redis://127.0.0.1:${proxy.port}/0`)
    await app.broker.ping(5000)
    proxy.decide = ([name]) => (name === 'lpush' ? fate : 'pass')

    await expect(app.sendTask('t')).rejects.toMatchObject({
      code: 'PUBLISH_INTERRUPTED',
      mayHaveBeenSent: true,
    })

    proxy.decide = () => 'pass'
    expect(await redisClient(redis.url).llen('celery')).toBe(pushed)
    await app.sendTask('t')
    expect(await app.broker.queueLength('celery')).toBe(pushed + 1)
  })
})

/** Work messages of every kind while the command with this number, counted over all connections, is hit. */
async function runEverything(
  redis: RedisServer,
  number: number,
  fate: CommandFate,
): Promise<{ wasHit: boolean; repeated: number }> {
  await using proxy = await startCommandProxy(redis)
  let commands = 0
  proxy.decide = () => (++commands === number ? fate : 'pass')
  await using site = await startFaultSite({ redis, workerPort: proxy.port, worker: { concurrency: 2 } })
  const { producer, workerApp } = site
  workerApp.task('faults.requeue', { bind: true }, (task) => {
    if (!task.request.isRedelivered) throw task.reject('once more', { requeue: true })
    return 'requeued'
  })
  workerApp.task('faults.retry', { bind: true }, (task) => {
    if (task.request.retries === 0) throw task.retry({ countdown: 0 })
    return 'retried'
  })
  const results = await site.send(8)
  const others = await Promise.all([
    producer.sendTask('faults.requeue'),
    producer.sendTask('faults.retry'),
    producer.sendTask('faults.run', [], {}, { eta: new Date(Date.now() + 150) }),
  ])
  const unknown = await producer.sendTask('faults.unknown')
  const values = await Promise.all([...results, ...others].map((result) => result.get({ timeout: 20_000 })))
  expect(values.slice(8, 10)).toEqual(['requeued', 'retried'])
  await expect(unknown.get({ timeout: 20_000 })).rejects.toMatchObject({ excType: 'NotRegistered' })
  await eventually(async () => (await producer.broker.deadLetters.count()) === 1)
  // The mutex of the sweep holds no message, and goes by itself.
  await nothingIsLeft(site, /^lovage\.dead|^unacked_mutex$/)
  const repeated = [...site.runs].filter(([, count]) => count > 1).length
  return { wasHit: commands >= number, repeated }
}
