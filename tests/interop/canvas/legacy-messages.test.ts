import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Celery, type ResultNode, type RunningWorker } from '../../../src/index.js'
import { celeryGenerations } from '../../support/celery-generations.js'
import { startPythonWorker, type PythonWorker } from '../../support/python-worker.js'
import { startRedis, type RedisServer } from '../../support/redis-server.js'

const WAIT = { timeout: 20_000 }

/** Older Celery sends the parts of the canvas as tasks of their own, which each of its workers still has. */
describe.each(celeryGenerations)('groups and chords as messages, beside $name', ({ python }) => {
  let redis: RedisServer
  let app: Celery
  let worker: RunningWorker
  let pythonWorker: PythonWorker

  beforeAll(async () => {
    redis = await startRedis()
    app = new Celery('legacy', { broker: redis.url, backend: redis.url })
    app.task('pytasks.add', (x: number, y: number) => x + y)
    app.task('pytasks.xsum', (numbers: number[]) => numbers.reduce((sum, each) => sum + each, 0))
    // What is in a canvas goes to the queue `celery`, as its messages name none.
    worker = await app.startWorker({ queues: ['lovage'] })
    pythonWorker = await startPythonWorker({ broker: redis.url, python })
  })
  afterAll(async () => {
    await Promise.all([worker.stop(), pythonWorker.kill()])
    await app.close()
    await redis.stop()
  })

  const add = (...args: number[]): object => app.signature('pytasks.add', { args }).toJSON()
  /** Each id by the order in which it comes up, and what is stored under it. */
  const ending = async (queue: string, name: string, kwargs: Record<string, unknown>): Promise<unknown> => {
    const sent = await app.sendTask(name, [], kwargs, { queue })
    await sent.get(WAIT)
    const meta = await sent.meta()
    const children = await sent.children()
    const values = await Promise.all(children.map((child: ResultNode) => child.get(WAIT)))
    return numbered([meta?.status, meta?.result, meta?.children, values])
  }

  it('runs a group under the ids that it was sent with', async () => {
    const run = async (queue: string): Promise<unknown> => {
      const [groupId, a, b] = [randomUUID(), randomUUID(), randomUUID()]
      const tasks = [
        { ...add(1), options: { task_id: a } },
        { ...add(2), options: { task_id: b } },
      ]
      const members = [a, b].map((id) => [[id, null], null])
      const kwargs = { tasks, result: [[groupId, null], members], group_id: groupId, partial_args: [10] }
      const ended = await ending(queue, 'celery.group', kwargs)
      const metas = await app.backend.fetchMany([a, b])
      expect(metas.map((meta) => [meta?.result, meta?.groupId])).toEqual([
        [11, groupId],
        [12, groupId],
      ])
      return ended
    }
    expect(await run('lovage')).toEqual(await run('celery'))
  })

  it('runs a chord, and says which result its body has', async () => {
    const body = app.signature('pytasks.xsum').toJSON()
    const kwargs = { header: [add(1), add(2)], body, partial_args: [10] }
    const ended = await ending('lovage', 'celery.chord', kwargs)
    expect(ended).toEqual(await ending('celery', 'celery.chord', kwargs))
  })

  it('sets aside what is no task in Celery either', async () => {
    const sent = await app.sendTask('celery.chain', [], {}, { queue: 'lovage' })
    await expect(sent.get(WAIT)).rejects.toMatchObject({ excType: 'NotRegistered' })
    await expect
      .poll(async () => (await app.deadLetters.list()).map(({ taskId, code }) => [taskId, code]))
      .toEqual([[sent.id, 'NOT_REGISTERED']])
  })
})

function numbered(value: unknown): unknown {
  const numbers = new Map<string, string>()
  const text = JSON.stringify(value).replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
    numbers.set(id, numbers.get(id) ?? `#${numbers.size + 1}`)
    return numbers.get(id) as string
  })
  return JSON.parse(text) as unknown
}
