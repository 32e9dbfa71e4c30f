import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { base64, rawMessage } from '../../support/raw-message.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

const WAIT = { timeout: 20_000 }
const signature = (task: string, more: object = {}): object => ({ task, ...more })

describe('a message whose canvas is bad', () => {
  it.each<[string, object]>([
    [
      'a step that is a group without members',
      { chain: [signature('celery.group', { subtask_type: 'group', kwargs: {} })] },
    ],
    [
      'a body that is no signature',
      { chord: signature('celery.chord', { subtask_type: 'chord', kwargs: { header: [], body: 5 } }) },
    ],
    [
      'a callback that is a chain of numbers',
      { callbacks: [signature('celery.chain', { subtask_type: 'chain', kwargs: { tasks: [1, 2] } })] },
    ],
    [
      'an errback with arguments that are none',
      { errbacks: [signature('t', { options: { link: [{ task: 't', args: 5 }] } })] },
    ],
    ['a signature nested 300 deep', { chain: [nested(300)] }],
  ])('%s: does not run, is kept, and tells who waits', async (_, embed) => {
    const { url } = await startRedis()
    const app = testApp(url)
    let runs = 0
    const add = app.task('add', (x: number, y: number) => {
      runs++
      return x + y
    })
    await using _worker = await app.startWorker()
    const bad = rawMessage('add', [1, 2], () => ({ body: base64(JSON.stringify([[1, 2], {}, embed])) }))
    await app.broker.publish({ queue: 'celery', priority: 0, envelope: bad.envelope })

    await expect(app.asyncResult(bad.id).get(WAIT)).rejects.toMatchObject({
      excType: 'InvalidSignatureError',
    })
    await eventually(async () => (await app.deadLetters.count()) === 1)
    expect(await app.deadLetters.list()).toMatchObject([{ code: 'INVALID_SIGNATURE', taskId: bad.id }])
    expect(runs).toBe(0)
    expect(await (await add.delay(2, 3)).get(WAIT)).toBe(5)
  })

  it('a callback of a task that nobody knows fails alone', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const add = app.task('add', (x: number, y: number) => x + y)
    await using _worker = await app.startWorker()
    const link = app.signature('nobody-has-this', { options: { taskId: 'callback' } })
    const sent = await add.s(1, 2).link(link).applyAsync()

    expect(await sent.get(WAIT)).toBe(3)
    await expect(app.asyncResult('callback').get(WAIT)).rejects.toMatchObject({ excType: 'NotRegistered' })
    expect(await (await add.delay(2, 3)).get(WAIT)).toBe(5)
  })
})

function nested(depth: number): object {
  return depth === 0
    ? signature('add')
    : signature('celery.group', { subtask_type: 'group', kwargs: { tasks: [nested(depth - 1)] } })
}
