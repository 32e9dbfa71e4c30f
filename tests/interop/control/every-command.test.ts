import { expect, it, vi } from 'vitest'
import { celeryGenerations } from '../../support/celery-generations.js'
import { CONTROL_METHODS, INSPECT_METHODS } from '../../../src/cli/node-methods.js'
import { createProgram } from '../../../src/cli/program.js'
import { eventually } from '../../support/eventually.js'
import { recordingLog } from '../../support/recording-log.js'
import { startRedis } from '../../support/redis-server.js'
import { startLovage } from '../../integration/cli/lovage.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { testApp } from '../../support/test-app.js'

const [current] = celeryGenerations
const TIMEOUT = 30_000

/** What the command prints, run in this process: starting it some sixty times would take a minute. */
async function lovage(url: string, ...words: string[]): Promise<string> {
  let printed = ''
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  try {
    await createProgram().parseAsync(['-b', url, '--result-backend', url, ...words], { from: 'user' })
  } finally {
    write.mockRestore()
  }
  return printed
}

/** `error`, or the sorted names of what a reply has. */
function shapeOf(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(shapeOf)
  if (typeof reply !== 'object' || reply === null) return typeof reply
  return Object.keys(reply).toSorted()
}

/** Words for each command, and how its reply reads; all others take none. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  query_task: ['unknown'],
  memdump: ['3'],
  add_consumer: ['more'],
  autoscale: ['3', '1'],
  cancel_consumer: ['more'],
  pool_grow: ['1'],
  pool_shrink: ['1'],
  rate_limit: ['pytasks.add', '5/m'],
  revoke: ['a', 'b'],
  revoke_by_stamped_headers: ['header=value'],
  terminate: ['KILL', 'a'],
  time_limit: ['pytasks.add', '1', '2'],
}
/** Of these each has its own: settings, tasks, memory, and what needs libraries of Python's. Both reply. */
const UNLIKE = new Set(['conf', 'registered', 'memsample', 'memdump', 'objgraph'])
const SILENT = 'shutdown'
/** Python workers do not survive it. */
const REFUSED = 'election'

it('every command of lovage inspect, control, status and events gets the same from a Python worker as from one of ours', async () => {
  // A thread for each command would make the lines pretty that none of them logs.
  vi.stubEnv('LOG_FORMAT', 'json')
  const { url } = await startRedis()
  const log = recordingLog()
  const app = testApp(url, { log })
  app.task('pytasks.add', (x: number, y: number) => x + y)
  const python = await startPythonWorker({ broker: url, python: current?.python ?? '', name: 'python' })
  await using worker = await app.startWorker({ hostname: 'lovage@interop', gossip: true })
  const nodes = [worker.hostname, python.nodeName]
  const seen: { readonly type: string; readonly hostname: string }[] = []
  const events = await startLovage(['-b', url, 'events', '--json'], {
    onStdoutLine: (line) => seen.push(JSON.parse(line) as (typeof seen)[number]),
  })

  const both = async (kind: 'inspect' | 'control', name: string): Promise<readonly unknown[]> => {
    const words = [kind, '--json', '-t', '30', '-d', nodes.join(','), name, ...(WORDS[name] ?? [])]
    const replies = JSON.parse(await lovage(url, ...words)) as Record<string, unknown>
    expect(Object.keys(replies).toSorted(), name).toEqual(nodes)
    return nodes.map((node) => replies[node])
  }
  for (const name of Object.keys(INSPECT_METHODS)) {
    const [ours, theirs] = await both('inspect', name)
    if (!UNLIKE.has(name)) expect(shapeOf(ours), name).toEqual(shapeOf(theirs))
  }
  for (const name of Object.keys(CONTROL_METHODS).filter((each) => each !== SILENT && each !== REFUSED)) {
    const [ours, theirs] = await both('control', name)
    expect(shapeOf(ours), name).toEqual(shapeOf(theirs))
  }

  // People see the same lines of both.
  const status = await lovage(url, 'status', '-t', '30', '-d', nodes.join(','))
  expect(status).toBe(`->  lovage@interop: OK\n->  python@interop: OK\n\n2 nodes online.\n`)
  const ping = await lovage(url, 'inspect', '-t', '30', '-d', nodes.join(','), 'ping')
  expect(ping).toBe('->  lovage@interop: OK\n    pong\n->  python@interop: OK\n    pong\n\n2 nodes online.\n')

  // It listens by now.
  await eventually(() => Promise.resolve(seen.length > 0), { timeoutMs: TIMEOUT })
  const said = (text: string): boolean => log.lines.some(({ message }) => message === text)
  await eventually(() => Promise.resolve(said('python@interop joined the party')), { timeoutMs: TIMEOUT })
  // Ours goes on, to hear the other say goodbye.
  await lovage(url, 'control', '-d', python.nodeName, SILENT)
  await python.waitForLine(/Got shutdown from remote/, TIMEOUT)
  await eventually(() => Promise.resolve(said('python@interop left')), { timeoutMs: TIMEOUT })
  await lovage(url, 'control', '-d', nodes.join(','), SILENT)
  await worker.stopped

  const goodbyeOf = async (node: string): Promise<readonly string[]> => {
    const said = (): object | undefined =>
      seen.find(({ hostname, type }) => hostname === node && type === 'worker-offline')
    const event = await eventually(() => Promise.resolve(said()), { timeoutMs: TIMEOUT })
    return Object.keys(event ?? {}).toSorted()
  }
  const [ours, theirs] = await Promise.all(nodes.map(goodbyeOf))
  expect(ours).toEqual(theirs)
  expect(await events.stop()).toMatchObject({ code: 0 })
})
