import { describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { countLoss } from '../../src/serialization/earlier-deliveries.js'
import { eventually } from '../support/eventually.js'
import { rawMessage } from '../support/raw-message.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { startLovageWorker } from '../support/lovage-worker.js'
import { startPythonClient } from '../support/python-client.js'
import { startPythonWorker } from '../support/python-worker.js'
import { testApp } from '../support/test-app.js'

const VISIBILITY_SECONDS = 1

/** A message that two workers of this runtime have lost. */
function lostTwice(task: string, args: readonly unknown[]): { id: string; envelope: string } {
  const { id, envelope } = rawMessage(task, args)
  const loss = { at: new Date(), cause: 'WORKER_LOST', worker: 'celery@gone' } as const
  return { id, envelope: countLoss(countLoss(envelope, loss), loss) }
}

describe.each(celeryGenerations)('redelivery between Lovage and $name', ({ python }) => {
  it('row 20: counts what a killed Lovage worker held and a Python worker’s sweep restored', async () => {
    const { url } = await startRedis()
    const conf = { broker_transport_options: { visibility_timeout: VISIBILITY_SECONDS } }
    const app = testApp(url)
    const notes = redisClient(url)
    await using client = startPythonClient({ broker: url, python, conf })
    // Their own upkeep comes much too late.
    const settings = { broker: url, backend: url, workerLease: 3600, taskMaxDeliveries: 2 }
    const result = await app.sendTask('pytasks.hold_late', ['held', 'value'])
    for (const run of [1, 2]) {
      const worker = await startLovageWorker(settings)
      await eventually(async () => (await notes.llen('held:started')) === run)
      await worker.kill()
      await eventually(async () => {
        await client.evaluate('pytasks.sweep()')
        return (await notes.llen('celery')) === 1
      })
    }

    const last = await startLovageWorker(settings)
    await expect(result.get({ timeout: 20_000 })).rejects.toMatchObject({ excType: 'WorkerLostError' })
    const letter = await eventually(async () => (await app.deadLetters.list())[0])
    expect(letter).toMatchObject({ code: 'TOO_MANY_DELIVERIES', taskId: result.id, deliveries: 3 })
    expect(await notes.llen('held:started')).toBe(2)
    await last.stop()
  })

  it('runs at Python what Lovage has counted, and its retry begins anew', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const redis = redisClient(url)
    const add = lostTwice('pytasks.add', [2, 3])
    const retry = lostTwice('pytasks.retry_at', ['elsewhere', 'value'])
    await redis.lpush('celery', add.envelope, retry.envelope)
    await using worker = await startPythonWorker({ broker: url, python, pool: 'solo' })

    expect(await app.asyncResult(add.id).get({ timeout: 20_000 })).toBe(5)
    const text = (await eventually(() => redis.lindex('elsewhere', 0))) ?? ''
    expect(JSON.parse(text)).toMatchObject({ headers: { id: retry.id, retries: 1 } })
    expect(text).not.toContain('lovage')
    expect(worker.log()).not.toContain('lovage')
  })
})
