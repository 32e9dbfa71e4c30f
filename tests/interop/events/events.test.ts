import { describe, expect, it, vi } from 'vitest'
import { addPytasks } from './pytasks.js'
import { celeryGenerations } from '../../support/celery-generations.js'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startPythonClient, type PythonClient } from '../../support/python-client.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { testApp } from '../../support/test-app.js'

type Event = Readonly<Record<string, unknown>> & { readonly type: string; readonly hostname: string }

interface Seen {
  readonly workers: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly tasks: Readonly<Record<string, Readonly<Record<string, unknown>> & { readonly state: string }>>
}

const WITHIN = { timeout: 30_000, interval: 100 }
const QUEUES = ['js', 'py'] as const

async function startWatching(client: PythonClient, url: string): Promise<void> {
  await client.evaluate("__import__('watch').start()")
  const redis = redisClient(url)
  await eventually(async () => Number(await redis.pubsub('NUMPAT')) > 0, { timeoutMs: 30_000 })
}

describe.each(celeryGenerations)('events and $name', ({ python }) => {
  it('a Python receiver and ours see the same of a Python worker and ours', async () => {
    const { url } = await startRedis()
    const settings = { broker: url, python, conf: { task_send_sent_event: true } }
    const client = startPythonClient(settings)
    await startWatching(client, url)
    const app = testApp(url, { taskSendSentEvent: true })
    addPytasks(app)
    const state = app.events.state()
    const ours: Event[] = []
    const receiver = app.events.receiver({
      '*': (event) => {
        ours.push(event)
        state.event(event)
      },
    })
    await receiver.start()
    await using worker = await app.startWorker({ queues: ['js'], hostname: 'js@interop', taskEvents: true })
    const pythonWorker = await startPythonWorker({
      ...settings,
      queues: ['py'],
      name: 'py',
      args: ['--task-events'],
    })
    const names = [worker.hostname, pythonWorker.nodeName]

    // By each side for each side.
    const ids: Record<string, string[]> = {}
    const call = async (name: string, args: unknown[] = [], options: object = {}): Promise<void> => {
      for (const queue of QUEUES) {
        const key = `${name} ${JSON.stringify(options)}`
        const sent = await app.sendTask(name, args, {}, { queue, ...options })
        const { expires, ...more } = options as { expires?: Date }
        const isoExpires = expires === undefined ? {} : { expires: expires.toISOString() }
        const pythonId = await client.send(name, { args, options: { queue, ...more, ...isoExpires } })
        ids[key] = [...(ids[key] ?? []), sent.id, pythonId]
      }
    }
    await call('pytasks.add', [2, 3])
    await call('pytasks.fail', ["it's"])
    await call('pytasks.retry_once', ['late'])
    await call('pytasks.raise_reject')
    await call('pytasks.raise_ignore')
    await call('pytasks.add', [7, 7], { countdown: 1 })
    await call('pytasks.add', [1, 1], { expires: new Date(Date.now() - 60_000) })
    await call('pytasks.unknown')
    const seenByPython = async (): Promise<Seen> =>
      (await client.evaluate("__import__('watch').seen()")) as Seen
    const expected: Record<string, string> = {
      'pytasks.add {}': 'SUCCESS',
      'pytasks.fail {}': 'FAILURE',
      'pytasks.retry_once {}': 'SUCCESS',
      // Later states win, and REJECTED counts as an early one.
      'pytasks.raise_reject {}': 'STARTED',
      'pytasks.raise_ignore {}': 'STARTED',
      'pytasks.add {"countdown":1}': 'SUCCESS',
      'pytasks.unknown {}': 'FAILURE',
    }
    // Since 5.7, Python also says that a task has failed which was rejected for good.
    const shown = (key: string, state: string | undefined): string | undefined =>
      key === 'pytasks.raise_reject {}' && state === 'FAILURE' ? 'STARTED' : state
    await vi.waitFor(async () => {
      const { tasks } = await seenByPython()
      for (const [key, of] of Object.entries(ids)) {
        const found = of.map((id) => shown(key, tasks[id]?.state))
        expect(found, key).toEqual(of.map(() => expected[key] ?? 'REVOKED'))
      }
    }, WITHIN)
    await vi.waitFor(async () => {
      const { workers } = await seenByPython()
      expect(names.map((name) => workers[name]?.['alive'])).toEqual([true, true])
      expect(names.map((name) => Number(workers[name]?.['processed']) > 0)).toEqual([true, true])
    }, WITHIN)

    // Our state says of each task what Python's does.
    const { tasks } = await seenByPython()
    for (const id of Object.values(ids).flat()) {
      const [mine, theirs] = [state.tasks.get(id), tasks[id]]
      const both = [
        ...(['name', 'state', 'args', 'kwargs', 'retries', 'result', 'exception', 'worker'] as const),
        ...(['eta', 'expires', 'exchange', 'runtime'] as const),
      ]
      for (const field of both) expect(mine?.[field] ?? null, `${field} of ${id}`).toEqual(theirs?.[field])
      expect(mine?.rootId ?? null).toEqual(theirs?.['root_id'])
      expect(mine?.succeeded ?? null).toEqual(theirs?.['succeeded'])
    }
    expect(
      state
        .aliveWorkers()
        .map(({ hostname }) => hostname)
        .toSorted(),
    ).toEqual(names.toSorted())

    // Events of both workers have the same fields, and what is said of the same call is the same.
    const events = (await client.evaluate("__import__('watch').events()")) as Event[]
    for (const [heard, where] of [
      [events, 'heard by Python'],
      [ours, 'heard by us'],
    ] as const) {
      const fields = (type: string, by: (event: Event) => boolean): string[] =>
        [
          ...new Set(heard.flatMap((event) => (event.type === type && by(event) ? Object.keys(event) : []))),
        ].toSorted()
      const types = new Set(heard.map(({ type }) => type))
      expect([...types].toSorted(), where).toEqual([
        ...['failed', 'received', 'rejected', 'retried', 'revoked', 'sent', 'started', 'succeeded'].map(
          (subject) => `task-${subject}`,
        ),
        ...['worker-heartbeat', 'worker-online'],
      ])
      for (const type of types) {
        const isOurs = ({ hostname }: Event): boolean =>
          hostname === worker.hostname || hostname.startsWith(`gen${process.pid}@`)
        const [mine, theirs] = [fields(type, isOurs), fields(type, (event) => !isOurs(event))]
        expect(mine, `${type}, ${where}`).toEqual(theirs)
      }
    }
    const textsOf = (id: string): unknown => {
      const own = events.filter(({ uuid }) => uuid === id)
      return own.flatMap(({ type, exception, result, name, args }) => [[type, exception, result, name, args]])
    }
    for (const key of ['pytasks.add {}', 'pytasks.fail {}']) {
      const worked = (id: string | undefined): unknown[] =>
        (textsOf(id ?? '') as unknown[][]).filter(([type]) => type !== 'task-sent')
      expect(worked(ids[key]?.[0]), key).toEqual(worked(ids[key]?.[2]))
    }
    await receiver.stop()
  })

  it('a worker that stops is gone for Python’s monitors, and Python’s for ours', async () => {
    const { url } = await startRedis()
    const client = startPythonClient({ broker: url, python })
    await startWatching(client, url)
    const app = testApp(url)
    const state = app.events.state()
    await using receiver = app.events.receiver({ '*': state.event })
    await receiver.start()
    const worker = await app.startWorker({ queues: ['js'], hostname: 'js@interop' })
    const pythonWorker = await startPythonWorker({ broker: url, python, queues: ['py'], pool: 'solo' })
    const known = async (): Promise<string[]> => {
      const { workers } = (await client.evaluate("__import__('watch').seen()")) as Seen
      return Object.keys(workers).filter((name) => workers[name]?.['alive'])
    }
    const alive = (): string[] => state.aliveWorkers().map(({ hostname }) => hostname)
    await vi.waitFor(async () => expect(await known()).toContain('js@interop'), WITHIN)
    await vi.waitFor(() => expect(alive()).toContain(pythonWorker.nodeName), WITHIN)
    await worker.stop()
    await pythonWorker.stop()
    await vi.waitFor(async () => expect(await known()).toEqual([]), WITHIN)
    await vi.waitFor(() => expect(alive()).toEqual([]), WITHIN)
  })
})
