import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { celeryGenerations } from '../../support/celery-generations.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { startPythonClient } from '../../support/python-client.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { testApp } from '../../support/test-app.js'
import type { Celery } from '../../../src/index.js'

const TIMEOUT = 20_000
const [current] = celeryGenerations

/** Names of the members at every depth; of a list, those of its first element. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])]
  if (typeof value !== 'object' || value === null) return undefined
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, shapeOf(member)]),
  )
}

/** Each has a task that runs, one that waits and one with an ETA. @returns their ids. */
async function occupy(app: Celery, queue: string, url: string): Promise<string[]> {
  const redis = redisClient(url)
  const later = await app.sendTask('pytasks.add', [1, 2], {}, { queue, countdown: 1000 })
  const running = await app.sendTask('pytasks.hold', [queue], {}, { queue })
  await eventually(() => redis.lpop(`${queue}:started`), { timeoutMs: TIMEOUT })
  const waiting = await app.sendTask('pytasks.hold', [queue], {}, { queue })
  return [running.id, waiting.id, later.id]
}

it('replies of a Lovage worker have the members that those of a Python worker have', async () => {
  const { url } = await startRedis()
  const redis = redisClient(url)
  const blocked = redisClient(url)
  const app = testApp(url)
  app.task('pytasks.add', (x: number, y: number) => x + y)
  app.task('pytasks.hold', async (key: string) => {
    await redis.rpush(`${key}:started`, 'x')
    await blocked.blpop(`${key}:release`, 60)
  })
  const python = await startPythonWorker({
    broker: url,
    queues: ['of-python'],
    python: current?.python ?? '',
  })
  await using lovage = await app.startWorker({
    queues: ['of-lovage'],
    hostname: 'lovage@interop',
    concurrency: 1,
    prefetchMultiplier: 4,
  })
  const nodes = [python.nodeName, lovage.hostname]
  const tasks = [await occupy(app, 'of-python', url), await occupy(app, 'of-lovage', url)]

  await app.control.revoke('some-task')
  await using client = startPythonClient({ broker: url, python: current?.python ?? '' })
  const inspected = async (expression: string, node: string): Promise<unknown> => {
    const code = `app.control.inspect(destination=[${JSON.stringify(node)}], timeout=10).${expression}`
    const reply = (await client.evaluate(code)) as Record<string, unknown> | null
    return reply?.[node]
  }
  for (const expression of [
    'ping()',
    'active()',
    'active(safe=True)',
    'reserved()',
    'scheduled()',
    'stats()',
    'active_queues()',
    'report()',
    'clock()',
    'revoked()',
    'hello("other@interop", ["x"])',
    'memdump()',
  ]) {
    const replied = await eventually(async () => {
      const replies = [
        await inspected(expression, nodes[0] ?? ''),
        await inspected(expression, nodes[1] ?? ''),
      ]
      // What was just sent is taken in by itself.
      return replies.every((reply) => !Array.isArray(reply) || reply.length > 0) && replies
    })
    const [theirs, ours] = replied as unknown[]
    const shapes = [shapeOf(theirs), shapeOf(ours)] as Record<string, unknown>[]
    if (expression === 'stats()') {
      // By task name, and by what the broker was told.
      for (const shape of shapes) {
        shape['total'] = undefined
        shape['broker'] = { ...(shape['broker'] as object), transport_options: undefined }
      }
    }
    expect(shapes[1], expression).toEqual(shapes[0])
    expect(typeof ours, expression).toBe(typeof theirs)
  }
  for (const [i, node] of nodes.entries()) {
    const [running = '', waiting = ''] = tasks[i] ?? []
    expect(
      await inspected(`query_task(${JSON.stringify([running, waiting, 'unknown'])})`, node),
    ).toMatchObject({
      [running]: ['active', { id: running, time_start: expect.any(Number) as number }],
      [waiting]: ['reserved', { id: waiting }],
    })
    expect(await inspected('registered()', node)).toContain('pytasks.hold')
    expect(await inspected('conf()', node)).toMatchObject({ broker_url: expect.any(String) as string })
  }
  for (const node of nodes)
    await redis.rpush(node === lovage.hostname ? 'of-lovage:release' : 'of-python:release', 1, 1)
})

it('control commands of Python get the same from both workers', async () => {
  const { url } = await startRedis()
  const app = testApp(url)
  app.task('pytasks.add', (x: number, y: number) => x + y)
  const python = await startPythonWorker({
    broker: url,
    queues: ['of-python'],
    python: current?.python ?? '',
  })
  await using lovage = await app.startWorker({ queues: ['of-lovage'], hostname: 'lovage@interop' })
  await using client = startPythonClient({ broker: url, python: current?.python ?? '' })
  const told = async (call: string, node: string): Promise<unknown> => {
    const code = `app.control.${call.slice(0, -1)}, destination=[${JSON.stringify(node)}], reply=True, timeout=10)`
    const replies = (await client.evaluate(code.replace('(, ', '('))) as Record<string, unknown>[]
    return replies[0]?.[node]
  }
  const calls = [
    ['rate_limit("pytasks.add", "5/m")', { ok: 'new rate limit set successfully' }],
    ['rate_limit("pytasks.add", 0)', { ok: 'rate limit disabled successfully' }],
    ['rate_limit("nobody", 1)', { error: 'unknown task' }],
    [
      'rate_limit("pytasks.add", "often")',
      { error: expect.stringMatching(/^Invalid rate limit string: /) as string },
    ],
    ['time_limit("pytasks.add", soft=1, hard=2)', { ok: 'time limits set successfully' }],
    ['time_limit("nobody", soft=1)', { error: 'unknown task' }],
    ['enable_events()', { ok: 'task events enabled' }],
    ['enable_events()', { ok: 'task events already enabled' }],
    ['disable_events()', { ok: 'task events disabled' }],
    ['disable_events()', { ok: 'task events already disabled' }],
    ['add_consumer("more")', { ok: 'add consumer more' }],
    ['cancel_consumer("more")', { ok: 'no longer consuming from more' }],
    ['pool_grow(1)', { ok: 'pool will grow' }],
    ['pool_shrink(1)', { ok: 'pool will shrink' }],
    ['pool_restart()', { error: "ValueError('Pool restarts not enabled')" }],
    ['autoscale(3, 1)', { error: "ValueError('Autoscale not enabled')" }],
    ['heartbeat()', null],
    ['broadcast("no_such")', { error: "KeyError('no_such')" }],
    ['revoke(["a"])', { ok: expect.stringContaining('flagged as revoked') as string }],
    ['terminate(["b"])', { ok: 'terminate: tasks unknown' }],
    [
      'revoke_by_stamped_headers({"h": ["v"]})',
      { ok: expect.stringContaining('flagged as revoked') as string },
    ],
  ] as const
  for (const [call, expected] of calls) {
    expect(await told(call, lovage.hostname), `Lovage: ${call}`).toEqual(expected)
    expect(await told(call, python.nodeName), `Python: ${call}`).toEqual(expected)
  }
  await client.evaluate('app.control.shutdown()')
  await lovage.stopped
  await python.waitForLine(/Got shutdown from remote/, TIMEOUT)
})
