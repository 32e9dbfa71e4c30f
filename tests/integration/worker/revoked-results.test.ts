import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

it('a revocation leaves the results of tasks that have ended, and the states of those that run', async () => {
  const app = testApp((await startRedis()).url)
  app.task('fail', () => {
    throw new RangeError('no')
  })
  let end = (): void => undefined
  app.task('runs', { bind: true }, async (task) => {
    await task.updateState('PROGRESS', 1)
    await new Promise<void>((resolve) => (end = resolve))
    return 'ended'
  })
  await using _ = await app.startWorker()
  const failed = await app.sendTask('fail')
  await failed.get({ timeout: 20_000, propagate: false })
  const runs = await app.sendTask('runs')
  await eventually(async () => (await runs.state()) === 'PROGRESS')

  const waiting = await app.sendTask('fail', [], {}, { countdown: 3600 })
  await app.control.revoke([failed.id, runs.id, waiting.id])
  await eventually(async () => (await waiting.state()) === 'REVOKED')
  expect([await failed.state(), await runs.state()]).toEqual(['FAILURE', 'PROGRESS'])
  end()
  expect(await runs.get({ timeout: 20_000 })).toBe('ended')
})
