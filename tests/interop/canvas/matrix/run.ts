/** Runs each workflow in each combination of producers and workers, all of them at the same time. */
import { Celery } from '../../../../src/index.js'
import { eventually } from '../../../support/eventually.js'
import { startPythonClient } from '../../../support/python-client.js'
import { startPythonWorker } from '../../../support/python-worker.js'
import { redisClient, startRedis } from '../../../support/redis-server.js'
import { build } from './build.js'
import { observe, type Observed, type Produced } from './observe.js'
import { registerMatrixTasks } from './tasks.js'
import type { Redis } from 'ioredis'
import type { WorkflowNode } from './workflow.js'

export type Producer = 'Python' | 'TypeScript'
export type Workers = Producer | 'both'

/** What Python alone does, by the names of workflows, and what the others do. */
export interface MatrixRun {
  readonly baseline: ReadonlyMap<string, Observed>
  readonly cells: readonly Cell[]
}

export interface Cell {
  readonly producer: Producer
  readonly workers: Workers
  readonly observed: ReadonlyMap<string, Observed>
}

type Workflows = ReadonlyMap<string, WorkflowNode>

const QUIET_LOOKS = 5

/** What is awaited longer than this hangs. */
const LIMIT_MS = 90_000

export async function runMatrix(workflows: Workflows, python: string): Promise<MatrixRun> {
  await using redis = await startRedis()
  const urlOf = (database: number): string => `redis://127.0.0.1:${redis.port}/${database}`
  const sites = await Promise.all(
    (['Python', 'TypeScript', 'both'] as const).map((workers, i) =>
      runSite(workflows, workers, urlOf(i), python),
    ),
  )
  const [baseline, ...cells] = sites.flat()
  if (baseline === undefined) throw new Error('no combination was run')
  return { baseline: baseline.observed, cells }
}

/** One database with its workers, and both producers for them. */
async function runSite(workflows: Workflows, workers: Workers, url: string, python: string): Promise<Cell[]> {
  const settings = {
    broker: url,
    python,
    conf: {
      imports: ['canvas_matrix'],
      // Makes a message that is worked on visible, and so the end of all.
      task_acks_late: true,
      worker_prefetch_multiplier: 1,
    },
  }
  const redis = redisClient(url)
  const app = new Celery('matrix', { broker: url, backend: url })
  registerMatrixTasks(app, redis)
  const client = startPythonClient(settings)
  const started = await Promise.all([
    workers === 'TypeScript' ? undefined : startPythonWorker({ ...settings, pool: 'solo' }),
    workers === 'Python' ? undefined : app.startWorker({ concurrency: 1 }),
  ])
  try {
    const [byPython, byTypeScript] = [
      pythonProducer(workflows, (code) =>
        client.evaluate(`import canvas_matrix\nresult = canvas_matrix.${code}`),
      ),
      typeScriptProducer(workflows, app),
    ]
    await Promise.all([byPython.start(), byTypeScript.start()])
    await untilQuiet(redis)
    const observed = async ({ produced }: typeof byPython): Promise<ReadonlyMap<string, Observed>> => {
      const entries = (await produced()).map(
        async ([name, each]) => [name, await observe(redis, each)] as const,
      )
      return new Map(await Promise.all(entries))
    }
    return [
      { producer: 'Python', workers, observed: await observed(byPython) },
      { producer: 'TypeScript', workers, observed: await observed(byTypeScript) },
    ]
  } finally {
    await Promise.all(started.map(async (worker) => worker?.stop()))
    await client.stop()
    await app.close()
    redis.disconnect()
  }
}

interface MatrixProducer {
  readonly start: () => Promise<void>
  /** When all is over. */
  readonly produced: () => Promise<(readonly [name: string, produced: Produced])[]>
}

function pythonProducer(workflows: Workflows, call: (code: string) => Promise<unknown>): MatrixProducer {
  const named = [...workflows].map(([name, node]) => ({ name, node, run: `by Python: ${name}` }))
  let tuples: Readonly<Record<string, unknown>>
  return {
    async start() {
      const data = JSON.stringify(JSON.stringify(named))
      tuples = (await call(`start(canvas_matrix.json.loads(${data}))`)) as typeof tuples
    },
    async produced() {
      const outcomes = (await call('outcomes()')) as typeof tuples
      return named.map(({ name, node, run }) => [
        name,
        { run, node, tuple: tuples[run], outcome: outcomes[run] },
      ])
    },
  }
}

/** What applying any signature gives. */
interface Handle {
  asTuple(): unknown
  ready(): Promise<boolean>
  get(options: object): Promise<unknown>
}

function typeScriptProducer(workflows: Workflows, app: Celery): MatrixProducer {
  const named = [...workflows].map(([name, node]) => ({ name, node, run: `by TypeScript: ${name}` }))
  const handles = new Map<string, Handle | Error>()
  return {
    async start() {
      for (const { name, node, run } of named) {
        // One that cannot be sent is an outcome, too. Of this app is also a group without members.
        const handle = await (async () => app.signature(build(app, node, run)).applyAsync())().catch(
          (error: Error) => error,
        )
        handles.set(name, handle)
      }
    },
    async produced() {
      const all = named.map(async ({ name, node, run }) => {
        const handle = handles.get(name)
        const isSent = handle !== undefined && !(handle instanceof Error)
        const tuple = isSent ? handle.asTuple() : null
        const outcome = isSent ? await outcomeOf(handle) : { error: ['not sent', handle?.message] }
        return [name, { run, node, tuple, outcome }] as const
      })
      return Promise.all(all)
    },
  }
}

async function outcomeOf(handle: Handle): Promise<unknown> {
  if (!(await handle.ready())) return { pending: true }
  try {
    return { value: await handle.get({ timeout: 10_000 }) }
  } catch (error) {
    const { excType, excMessage = [] } = error as { excType?: string; excMessage?: readonly unknown[] }
    return { error: excType === undefined ? [String(error)] : [excType, ...excMessage] }
  }
}

/** No message waits, is parked, or is worked on. Between two lists a message is nowhere for an instant. */
async function untilQuiet(redis: Redis): Promise<void> {
  let quietLooks = 0
  const isQuiet = async (): Promise<boolean> => {
    const counts = await redis.multi().llen('celery').hlen('unacked').zcard('lovage.parked.celery').exec()
    return counts?.every(([, count]) => count === 0) ?? false
  }
  await eventually(
    async () => {
      quietLooks = (await isQuiet()) ? quietLooks + 1 : 0
      return quietLooks >= QUIET_LOOKS
    },
    { timeoutMs: LIMIT_MS, intervalMs: 100 },
  ).catch(() => undefined)
}
