import { describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { startPythonClient } from '../support/python-client.js'
import { startPythonWorker } from '../support/python-worker.js'
import { redisClient, startRedis } from '../support/redis-server.js'
import { testApp } from '../support/test-app.js'
import type { CelerySettings } from '../../src/index.js'

const PRIORITIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

const SETTINGS: readonly { name: string; ours: CelerySettings['brokerTransportOptions']; theirs: object }[] =
  [
    { name: 'the default steps', ours: {}, theirs: {} },
    {
      name: 'ten steps and another separator',
      ours: { prioritySteps: PRIORITIES, sep: ':' },
      theirs: { priority_steps: PRIORITIES, sep: ':' },
    },
    { name: 'two steps', ours: { prioritySteps: [0, 5] }, theirs: { priority_steps: [0, 5] } },
  ]

describe.each(celeryGenerations)('row 19: priorities beside $name', ({ python }) => {
  it.each(SETTINGS)('row 19: go both ways with $name', async ({ ours, theirs }) => {
    const { url } = await startRedis()
    const app = testApp(url, { brokerTransportOptions: ours })
    app.task('lovage.priority', { bind: true }, ({ request }) => request.deliveryInfo.priority)
    const settings = { broker: url, python, conf: { broker_transport_options: theirs } }
    await using client = startPythonClient(settings)
    const observer = redisClient(url)

    const lists = async (queue: string): Promise<Record<string, number>> => {
      const names = (await observer.keys(`${queue}*`)).toSorted()
      const lengths = await Promise.all(names.map((name) => observer.llen(name)))
      return Object.fromEntries(names.map((name, i) => [name.slice(queue.length), lengths[i] ?? 0]))
    }

    for (const priority of PRIORITIES) {
      await app.sendTask('pytasks.request', [], {}, { priority, queue: 'ours', taskId: `p-${priority}` })
      await client.send('lovage.priority', {
        options: { priority, queue: 'theirs', task_id: `l-${priority}` },
      })
    }
    expect(await lists('ours')).toEqual(await lists('theirs'))

    await using _worker = await app.startWorker({ queues: ['theirs'] })
    const got = PRIORITIES.map((priority) => app.asyncResult(`l-${priority}`).get({ timeout: 20_000 }))
    expect(await Promise.all(got)).toEqual(PRIORITIES)

    await using _pythonWorker = await startPythonWorker({ ...settings, queues: ['ours'] })
    const told = PRIORITIES.map((priority) => app.asyncResult(`p-${priority}`).get({ timeout: 20_000 }))
    const requests = (await Promise.all(told)) as { delivery_info: { priority: number } }[]
    expect(requests.map((request) => request.delivery_info.priority)).toEqual(PRIORITIES)
  })
})
