import { expect, it, vi } from 'vitest'
import { addPytasks } from '../events/pytasks.js'
import { startFlower } from '../../support/flower.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

const WITHIN = { timeout: 60_000, interval: 200 }

interface Worker {
  readonly hostname: string
  readonly status: boolean
  readonly [field: string]: unknown
}

type Task = Readonly<Record<string, unknown>> & { readonly state: string }
type Tasks = Readonly<Record<string, Task>>

const NONE: Task = { state: 'NONE' }

it('Flower lists a Python worker and ours with the same fields, and their tasks in the same states', async () => {
  const { url } = await startRedis()
  const app = testApp(url, { taskSendSentEvent: true })
  addPytasks(app)
  await using worker = await app.startWorker({ queues: ['js'], hostname: 'js@interop', taskEvents: true })
  const pythonWorker = await startPythonWorker({
    ...{ broker: url, queues: ['py'], name: 'py', args: ['--task-events'] },
  })
  const names = [worker.hostname, pythonWorker.nodeName]
  const flower = await startFlower({ broker: url })

  const workers = async (): Promise<Worker[]> => {
    const { data } = await flower.get<{ data: Worker[] }>('/workers?json=1')
    return names.map((name) => {
      const found = data.find(({ hostname }) => hostname === name)
      if (found === undefined) throw new Error(`Flower does not list ${name}`)
      return found
    })
  }
  await vi.waitFor(async () => {
    expect((await workers()).map(({ status }) => status)).toEqual([true, true])
  }, WITHIN)

  const calls: [name: string, args: unknown[], options: object, state: string][] = [
    ['pytasks.add', [2, 3], {}, 'SUCCESS'],
    ['pytasks.fail', ['no'], {}, 'FAILURE'],
    // Once it was told that it was sent: told of that last, Celery's state forgets that it was retried.
    ['pytasks.retry_once', ['late'], { countdown: 1 }, 'SUCCESS'],
    ['pytasks.add', [7, 7], { countdown: 1 }, 'SUCCESS'],
    ['pytasks.add', [1, 1], { expires: new Date(Date.now() - 60_000) }, 'REVOKED'],
  ]
  const ids: { call: string; id: string; python: string; state: string }[] = []
  for (const [name, args, options, state] of calls) {
    const [id, python] = await Promise.all(
      ['js', 'py'].map(async (queue) => (await app.sendTask(name, args, {}, { queue, ...options })).id),
    )
    ids.push({ call: `${name}(${args.join()})`, id: id ?? '', python: python ?? '', state })
  }
  const tasks = (): Promise<Tasks> => flower.get<Tasks>('/api/tasks')
  await vi.waitFor(async () => {
    const found = await tasks()
    expect(ids.map(({ id }) => found[id]?.state)).toEqual(ids.map(({ state }) => state))
    expect(ids.map(({ python }) => found[python]?.state)).toEqual(ids.map(({ state }) => state))
  }, WITHIN)

  // The same of both sides, but for what is each one's own.
  const own =
    /^(uuid|root_id|clock|worker|client|routing_key|.*timestamp|eta|expires|runtime|traceback|sent|received|started|succeeded|failed|retried|revoked|root|parent|parent_id|children)$/
  // That a task was sent may be told last.
  await vi.waitFor(async () => {
    const found = await tasks()
    for (const { call, id, python } of ids) {
      const [ours, theirs] = [found[id] ?? NONE, found[python] ?? NONE]
      expect([call, ...filled(ours)]).toEqual([call, ...filled(theirs)])
      const same = (task: object): object =>
        Object.fromEntries(Object.entries(task).filter(([field]) => !own.test(field)))
      expect(same(ours)).toEqual(same(theirs))
      expect([ours['worker'], theirs['worker']]).toEqual([names[0], names[1]])
    }
  }, WITHIN)
  await vi.waitFor(async () => {
    const [ours, theirs] = await workers()
    expect(filled(ours ?? {})).toEqual(filled(theirs ?? {}))
    const counts = [
      'task-received',
      'task-started',
      'task-succeeded',
      'task-failed',
      'task-retried',
      'processed',
    ]
    expect(counts.map((name) => ours?.[name])).toEqual(counts.map((name) => theirs?.[name]))
    expect(ours?.['loadavg']).toHaveLength(3)
  }, WITHIN)

  const metrics = await flower.text('/metrics')
  for (const name of names) expect(metrics).toContain(`flower_worker_online{worker="${name}"} 1.0`)
  const ofOurs = metrics.split('\n').filter((line) => line.includes(`worker="${names[0]}"`))
  const ofTheirs = metrics.split('\n').filter((line) => line.includes(`worker="${names[1]}"`))
  const series = (lines: string[]): string[] =>
    [...new Set(lines.map((line) => line.replace(/\{.*/, '')))].toSorted()
  expect(series(ofOurs)).toEqual(series(ofTheirs))

  await worker.stop()
  await pythonWorker.stop()
  await vi.waitFor(async () => expect((await workers()).some(({ status }) => status)).toBe(false), WITHIN)
})

/** Names of fields that have a value. */
function filled(of: object): string[] {
  return Object.entries(of)
    .flatMap(([name, value]) => (value === null || value === undefined || value === '' ? [] : [name]))
    .toSorted()
}
