import { expect, it, vi } from 'vitest'
import { addPytasks } from '../events/pytasks.js'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startFlower } from '../../support/flower.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { testApp } from '../../support/test-app.js'

const WITHIN = { timeout: 60_000, interval: 200 }

it('Flower’s buttons do to our worker what they do to Python’s, and say the same', async () => {
  const { url } = await startRedis()
  const redis = redisClient(url)
  const app = testApp(url)
  addPytasks(app)
  app.task('pytasks.hold', { bind: true }, async (task, key: string) => {
    await redis.rpush(`${key}:started`, task.request.id)
    await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
  })
  await using worker = await app.startWorker({ queues: ['js'], hostname: 'js@interop', concurrency: 2 })
  const pythonWorker = await startPythonWorker({ broker: url, queues: ['py'], name: 'py', concurrency: 2 })
  const [ours, theirs] = [worker.hostname, pythonWorker.nodeName]
  const flower = await startFlower({ broker: url })

  const inspected = await vi.waitFor(async () => {
    const found = await flower.get<Record<string, Record<string, unknown>>>('/api/workers?refresh=1')
    expect(Object.keys(found)).toEqual(expect.arrayContaining([ours, theirs]))
    return found
  }, WITHIN)
  const shape = (name: string): string[] => Object.keys(inspected[name] ?? {}).toSorted()
  expect(shape(ours)).toEqual(shape(theirs))
  for (const kind of ['active_queues', 'registered', 'stats', 'conf'])
    expect(inspected[ours]?.[kind], kind).toBeDefined()

  /** What a button answers for each of the two, with their names left out. */
  const press = async (path: string, form: Readonly<Record<string, string>> = {}): Promise<unknown[]> => {
    const answers: unknown[] = []
    for (const [name, queue] of [
      [ours, 'js'],
      [theirs, 'py'],
    ] as const) {
      const filledIn = Object.fromEntries(
        Object.entries(form).map(([key, value]) => [
          key,
          value.replace('NAME', name).replace('QUEUE', queue),
        ]),
      )
      const { status, message } = await flower.post(path.replace('NAME', name), filledIn)
      answers.push({ status, message: message.replaceAll(name, 'NAME') })
    }
    return answers
  }
  const said = (message: string): unknown[] => [
    { status: 200, message },
    { status: 200, message },
  ]

  expect(await press('/api/worker/pool/grow/NAME', { n: '2' })).toEqual(
    said("Growing 'NAME' worker's pool by 2"),
  )
  expect(await press('/api/worker/pool/shrink/NAME', { n: '1' })).toEqual(
    said("Shrinking 'NAME' worker's pool by 1"),
  )
  expect(await press('/api/worker/queue/add-consumer/NAME', { queue: 'more' })).toEqual(
    said('add consumer more'),
  )
  expect(await press('/api/worker/queue/cancel-consumer/NAME', { queue: 'more' })).toEqual(
    said('no longer consuming from more'),
  )
  const onTask = { workername: 'NAME' }
  expect(await press('/api/task/rate-limit/pytasks.add', { ...onTask, ratelimit: '100/s' })).toEqual(
    said('new rate limit set successfully'),
  )
  expect(await press('/api/task/timeout/pytasks.add', { ...onTask, hard: '30', soft: '20' })).toEqual(
    said('time limits set successfully'),
  )
  // What cannot be done is refused, in the same words but for what a bad rate is.
  for (const [path, form] of [
    ['/api/worker/pool/autoscale/NAME', { min: '1', max: '4' }],
    ['/api/worker/pool/restart/NAME', {}],
    ['/api/task/rate-limit/pytasks.add', { ...onTask, ratelimit: 'fast' }],
  ] as const) {
    const [one, other] = await press(path, form)
    expect(one, path).toMatchObject({ status: 403 })
    expect(shortened(one), path).toEqual(shortened(other))
  }

  const tasks = (): Promise<Record<string, { state: string } | undefined>> => flower.get('/api/tasks')
  const revoke = async (task: string, args: unknown[], options: object, form = {}): Promise<void> => {
    const ids = await Promise.all(
      ['js', 'py'].map(async (queue) => (await app.sendTask(task, args, {}, { queue, ...options })).id),
    )
    if (task === 'pytasks.hold')
      await eventually(async () => (await redis.llen('gate:started')) === 2, { timeoutMs: 20_000 })
    for (const id of ids) {
      await vi.waitFor(async () => expect((await tasks())[id]).toBeDefined(), WITHIN)
      expect(await flower.post(`/api/task/revoke/${id}`, form)).toEqual({
        status: 200,
        message: `Revoked '${id}'`,
      })
    }
    await vi.waitFor(async () => {
      const found = await tasks()
      expect(ids.map((id) => found[id]?.state)).toEqual(['REVOKED', 'REVOKED'])
    }, WITHIN)
  }
  await revoke('pytasks.add', [1, 1], { countdown: 2 })
  await revoke('pytasks.hold', ['gate'], {}, { terminate: 'true', signal: 'SIGKILL' })

  expect(await press('/api/worker/shutdown/NAME')).toEqual(said('Shutting down!'))
  await pythonWorker.waitForLine(/Warm shutdown|shutdown/i)
  await vi.waitFor(async () => {
    const { data } = await flower.get<{ data: { hostname: string; status: boolean }[] }>('/workers?json=1')
    expect(data.filter(({ status }) => status)).toEqual([])
  }, WITHIN)
})

function shortened(answer: unknown): string {
  return JSON.stringify(answer).replace(/(Invalid rate limit string: ValueError).*/, '$1')
}
