import { expect, it } from 'vitest'
import { chord } from '../../src/index.js'
import { eventually } from '../support/eventually.js'
import { startLovageWorker } from '../support/lovage-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { say } from '../support/say.js'
import { testApp } from '../support/test-app.js'

const PARTS = 10_000
const KILLS = 10
const LEASE_SECONDS = 2

it('row 8: a chord of ten thousand runs its body once, while workers are killed', async () => {
  const { url } = await startRedis()
  const app = testApp(url)
  const notes = redisClient(url)
  const settings = { broker: url, backend: url, workerLease: LEASE_SECONDS }
  const count = app.remoteTask<[string], string>('pytasks.count')
  const header = Array.from({ length: PARTS }, () => count.s('runs'))
  const result = await chord(header, count.si('bodies')).applyAsync()

  let worker = await startLovageWorker(settings)
  for (let kill = 1; kill <= KILLS; kill++) {
    // It comes up meanwhile, and takes over.
    const next = startLovageWorker(settings)
    const before = await notes.hlen('runs')
    await eventually(async () => (await notes.hlen('runs')) >= before + 50, { intervalMs: 5 })
    await worker.kill()
    expect(await notes.exists('bodies')).toBe(0)
    worker = await next
  }

  expect(await result.get({ timeout: 60_000 })).toBe('lovage')
  await eventually(async () => (await notes.exists('celery', 'unacked', 'unacked_index')) === 0)
  const runs = Object.values(await notes.hgetall('runs')).map(Number)
  const repeated = runs.filter((times) => times > 1).length
  say(`a chord of ${PARTS}, ${KILLS} kills: ${repeated} parts ran again, its body once`)
  expect(runs).toHaveLength(PARTS)
  expect(repeated).toBeGreaterThan(0)
  expect(await notes.hgetall('bodies')).toEqual({ [result.id]: '1' })
  await worker.stop()
}, 180_000)
