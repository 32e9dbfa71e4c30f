import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import type { Celery } from '../../../src/index.js'

const SECRETS = [
  'a secret of more than thirty-two characters',
  'an older one of more than thirty-two characters',
]

/** Tasks that send further messages in each way there is. */
function registerTasks(app: Celery): void {
  app.task('add', (x: number, y: number) => x + y)
  app.task('twice', { bind: true, maxRetries: 1 }, (task, value: number) => {
    if (task.request.retries === 0) throw task.retry({ countdown: 0 })
    return value
  })
}

describe.each(['Redis', 'memory'])('row 48: messages signed with a shared secret, on %s', (kind) => {
  it('row 48: runs what a retry and a link send, which are signed as well', async () => {
    const url = kind === 'Redis' ? (await startRedis()).url : 'memory://'
    const app = testApp(url, { messageSecrets: SECRETS })
    registerTasks(app)
    await using worker = await app.startWorker()
    expect(await (await app.sendTask('twice', [5])).get({ timeout: 10_000 })).toBe(5)
    const linked = await app.sendTask(
      'add',
      [1, 2],
      {},
      { link: app.remoteTask('add').s(10), taskId: 'first' },
    )
    expect(await linked.get({ timeout: 10_000 })).toBe(3)
    await eventually(() => worker.counts().succeeded === 3)
    expect(worker.counts()).toMatchObject({ failed: 0, deadLettered: 0 })
  })

  it('row 48: refuses what another secret signed, and takes what the older one did', async () => {
    const url = kind === 'Redis' ? (await startRedis()).url : 'memory://'
    const app = testApp(url, { messageSecrets: SECRETS })
    registerTasks(app)
    await using worker = await app.startWorker()
    const signed: string[] = []
    for (const secret of [SECRETS[1] ?? '', 'x'.repeat(40)]) {
      const sender = testApp('memory://', { messageSecrets: [secret] })
      await sender.sendTask('add', [1, 2], {}, { taskId: `by ${secret.slice(0, 8)}` })
      const consumer = sender.broker.consumer({ queues: ['celery'], consumerId: 'test' })
      const { deliveries } = await consumer.claim(1)
      signed.push(...deliveries.map(({ envelope }) => envelope))
    }
    for (const envelope of signed) await app.broker.publish({ queue: 'celery', priority: 0, envelope })

    expect(await app.asyncResult('by an older').get({ timeout: 10_000 })).toBe(3)
    await eventually(async () => (await app.broker.deadLetters.count()) === 1)
    expect((await app.broker.deadLetters.list())[0]).toMatchObject({
      code: 'UNTRUSTED_MESSAGE',
      envelope: signed[1],
    })
    expect(worker.counts()).toMatchObject({ started: 1, deadLettered: 1 })
  })
})
