import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { lovage } from '../cli/lovage.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startLovageWorker } from '../../support/lovage-worker.js'
import { testApp } from '../../support/test-app.js'

const LEASE_SECONDS = 4
/** tests/faults/blocked-loop.test.ts has what lasts longer than a lease. */
const BLOCK_MS = 1500

describe('row 35: the workers that are there', () => {
  it('row 35: are named by 100 of 100 calls, the one too busy to reply included, until they stop or are dead', async () => {
    const { url } = await startRedis()
    const notes = redisClient(url)
    const app = testApp(url, { workerLease: LEASE_SECONDS })
    const settings = { broker: url, backend: url, workerLease: LEASE_SECONDS }
    const busy = await startLovageWorker(settings, { hostname: 'busy@there', queues: ['blocked'] })
    await using first = await app.startWorker({ hostname: 'first@here' })
    await using deaf = await testApp(url, { workerEnableRemoteControl: false }).startWorker({
      hostname: 'deaf@here',
    })
    const all = ['busy@there', 'deaf@here', 'first@here']
    expect(await app.control.workers()).toEqual(all)

    await app.sendTask('poison.block', ['blocked', BLOCK_MS], {}, { queue: 'blocked' })
    await eventually(() => notes.get('blocked'))
    for (let call = 0; call < 100; call++) expect(await app.control.workers()).toEqual(all)
    // Celery's way to find out.
    expect(await app.control.ping({ destination: 'busy@there', timeout: 50 })).toEqual({})

    await deaf.stop()
    expect(await app.control.workers()).toEqual(['busy@there', 'first@here'])
    await busy.kill()
    await eventually(async () => (await app.control.workers()).length === 1, {
      timeoutMs: 2 * LEASE_SECONDS * 1000,
    })
    expect(await app.control.workers()).toEqual([first.hostname])
  })

  it('row 35: are listed by lovage status, with a word for one that did not reply', async () => {
    const { url } = await startRedis()
    await using _first = await testApp(url).startWorker({ hostname: 'first@here' })
    await using _deaf = await testApp(url, { workerEnableRemoteControl: false }).startWorker({
      hostname: 'deaf@here',
    })
    const status = (...words: string[]): ReturnType<typeof lovage> =>
      lovage(['-b', url, '--result-backend', url, 'status', ...words])
    expect(await status()).toMatchObject({
      code: 0,
      stdout: ['->  deaf@here: OK, but did not reply', '->  first@here: OK', '', '2 nodes online.'],
    })
    const { stdout } = await status('--json', '-d', 'deaf@here', '-t', '0.1')
    expect(JSON.parse(stdout.join(''))).toEqual({ 'deaf@here': { ok: 'alive, but did not reply' } })
  })
})
