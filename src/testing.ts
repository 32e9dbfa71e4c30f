import { AssertionError } from 'node:assert'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { InvalidArgumentError } from './errors.js'
import type { Broker } from './broker/broker.js'
import type { Celery } from './app/celery.js'
import type { Publication } from './app/signals.js'
import type { WorkerCounts } from './app/worker-options.js'

/** What a call that was sent should have been; what is left out may be anything. */
export interface ExpectedCall {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly queue?: string
  readonly priority?: number
  readonly taskId?: string
}

/** The calls that an app has sent since it was asked to record them. */
export interface SentCalls {
  /** In the order in which they came to their queues. */
  readonly all: readonly Publication[]
  /** Those of one task. */
  of(task: string): readonly Publication[]
  /** @returns the first one that fits. @throws AssertionError, naming what was sent instead. */
  assertSent(task: string, expected?: ExpectedCall): Publication
  /** @throws AssertionError where one that fits was sent. */
  assertNotSent(task: string, expected?: ExpectedCall): void
  /** Forget what was sent so far. */
  clear(): void
  /** Record no more. */
  stop(): void
}

/**
 * Record what an app sends, by any way, for tests: with `memory://` and no worker nothing runs; with a worker, or with
 * `taskAlwaysEager`, it runs as well.
 */
export function recordSent(app: Pick<Celery, 'on'>): SentCalls {
  const all: Publication[] = []
  const stop = app.on('afterTaskPublish', (call) => void all.push(call))
  const of = (task: string): Publication[] => all.filter((call) => call.task === task)
  const fitting = (task: string, expected: ExpectedCall): Publication[] =>
    of(task).filter((call) =>
      Object.entries(expected).every(([name, value]) =>
        isDeepStrictEqual(call[name as keyof Publication], value),
      ),
    )
  return {
    all,
    of,
    assertSent(task, expected = {}) {
      const [found] = fitting(task, expected)
      if (found !== undefined) return found
      const sameTask = of(task).map(({ args, kwargs, queue, priority, taskId }) => ({
        args,
        kwargs,
        queue,
        priority,
        taskId,
      }))
      const names = [...new Set(all.map((call) => call.task))].join(', ') || 'nothing'
      const message =
        sameTask.length === 0
          ? `expected a call of ${task} to be sent, but of it there is none; sent: ${names}`
          : `expected a call of ${task} to be sent that fits, but none of ${sameTask.length} does`
      throw new AssertionError({ message, actual: sameTask, expected: [expected], operator: 'assertSent' })
    },
    assertNotSent(task, expected = {}) {
      const found = fitting(task, expected)
      if (found.length === 0) return
      const message = `expected no such call of ${task} to be sent, but ${found.length} did go out`
      throw new AssertionError({ message, actual: found, expected: [], operator: 'assertNotSent' })
    },
    clear: () => void all.splice(0),
    stop,
  }
}

export interface DrainOptions {
  /** @default the default queue, `taskQueues`, and those that registered tasks name */
  readonly queues?: readonly string[]
}

/** What follows from a task, such as the body of a chord, is sent in so many turns of the event loop, at most. */
const QUIET_TURNS = 10

/**
 * Work all that waits in a broker in memory, and what follows from it, by a worker that is stopped then. What waits for an
 * ETA or for its retry is left until its time has come.
 *
 * @returns how many tasks have begun, succeeded, failed, and are to be tried again.
 * @throws InvalidArgumentError for an app whose broker is not `memory://`.
 */
export async function drain(app: Celery, { queues }: DrainOptions = {}): Promise<WorkerCounts> {
  if (!app.settings.broker.startsWith('memory:'))
    throw new InvalidArgumentError(
      `drain: expected an app on memory://, got one on ${app.settings.broker.split(':')[0]}:`,
    )
  const drained = queues ?? queuesOf(app)
  const worker = await app.startWorker({ queues: drained, hostname: 'drain@%h', heartbeatInterval: 0 })
  try {
    for (let quietTurns = 0; quietTurns < QUIET_TURNS; quietTurns++) {
      if (await hasWork(app.broker, drained)) quietTurns = 0
      await nextTurn()
    }
  } finally {
    await worker.stop()
  }
  return worker.counts()
}

function queuesOf({ settings, tasks }: Celery): readonly string[] {
  const named = [...tasks.values()].flatMap(({ options }) => options.queue ?? [])
  return [...new Set([settings.taskDefaultQueue, ...(settings.taskQueues ?? []), ...named])]
}

async function hasWork(broker: Broker, names: readonly string[]): Promise<boolean> {
  const { now, unacked, queues } = await broker.backlog(names)
  return unacked > 0 || queues.some(({ length, nextEta = Infinity }) => length > 0 || nextEta <= now)
}
