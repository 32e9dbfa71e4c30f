import { getHeapStatistics } from 'node:v8'
import { isMainThread, threadId } from 'node:worker_threads'
import { appOf } from '../../../app/app-of-module.js'
import { decodeTaskMessage } from '../../../serialization/task-message.js'
import { describeWithPlace } from '../../../errors.js'
import { execute } from '../../execute.js'
import { formatJson } from '../../../serialization/json.js'
import { fromPortableError, toPortable } from './portable-outcome.js'
import { hasCanvas, withReadCanvas } from '../../follow-up.js'
import { NotRegistered } from '../../../app/outcomes.js'
import { parseEnvelope } from '../../../serialization/envelope.js'
import { resolveAcceptContent } from '../../../serialization/serializers.js'
import { withBuiltins } from '../../builtins.js'
import type { Celery } from '../../../app/celery.js'
import type { ChildSignal } from '../../../app/signals.js'
import type { ChildOrders, Favour, FromChild, ToChild } from './messages.js'
import type { Execution, ExecutionParts } from '../pool.js'
import type { Outcome } from '../../outcome.js'
import type { SpanNotes } from '../../../app/tracing.js'
import type { TaskMessage } from '../../../serialization/task-message.js'

/** The way to the worker and from it. */
export interface Channel {
  send(this: void, message: FromChild): void
  onMessage(this: void, listener: (message: ToChild) => void): void
}

type Order = Extract<ToChild, { type: 'run' }>

interface Running extends Execution {
  /** Of the span of the run; undefined where nobody traces it. */
  readonly notes?: (() => SpanNotes | undefined) | undefined
}

type Run = (order: Order) => Running

/** Import the app, say so, and run its tasks, one at a time, until told to stop. */
export function serve(channel: Channel, orders: ChildOrders): void {
  const favours = createFavours(channel)
  const signal: ChildSignal = { hostname: orders.hostname, id: isMainThread ? process.pid : threadId }
  let app: Celery | undefined
  let run: Run | undefined
  let current: Execution | undefined

  const begin = async (order: Order): Promise<void> => {
    if (run === undefined) return
    const running = run(order)
    current = running
    const outcome = await running.outcome
    current = undefined
    channel.send({
      type: 'ended',
      outcome: toPortable(outcome),
      memoryKib: orders.reportsMemory ? memoryKib() : undefined,
      notes: running.notes?.(),
    })
  }

  const stop = async (): Promise<void> => {
    try {
      await app?.workerParts().signals.emit('workerProcessShutdown', signal)
      await app?.close()
    } finally {
      process.exit(0)
    }
  }

  channel.onMessage((message) => {
    switch (message.type) {
      case 'run':
        void begin(message)
        return
      case 'abort':
        current?.abort(fromPortableError(message.reason))
        return
      case 'done':
        favours.settle(message.number, message.error && fromPortableError(message.error))
        return
      case 'stop':
        void stop()
    }
  })

  const start = async (): Promise<void> => {
    app = await importApp(orders.module)
    await app.workerParts().signals.emit('workerProcessInit', signal)
    run = createRun(app, orders.hostname, favours.ask)
    channel.send({ type: 'ready', tasks: [...app.tasks.keys()] })
  }
  start().catch((error: unknown) => channel.send({ type: 'failed', why: describeWithPlace(error) }))
}

async function importApp(module: string): Promise<Celery> {
  return appOf(module, (await import(module)) as Record<string, unknown>)
}

function createRun(app: Celery, hostname: string, ask: Ask): Run {
  const { settings, log, ...others } = app.workerParts()
  const parts: ExecutionParts = {
    ...others,
    settings,
    log,
    hostname,
    store: (result) => ask({ kind: 'store', result }),
    sendEvent: async (name, fields) => ask({ kind: 'event', name, fields: formatJson(fields) }),
  }
  const tasks = withBuiltins({ tasks: app.tasks, prepareCanvas: others.prepareCanvas })
  const acceptContent = resolveAcceptContent(settings.acceptContent, settings.auth)

  const read = (envelope: string): TaskMessage => {
    const message = decodeTaskMessage(parseEnvelope(envelope), { acceptContent })
    return hasCanvas(message) ? withReadCanvas(message) : message
  }

  return ({ envelope, softLimit, trace }) => {
    try {
      const message = read(envelope)
      const task = tasks.get(message.task)
      if (task === undefined)
        throw new NotRegistered(
          `no task ${JSON.stringify(message.task)} is registered in the pool’s children`,
        )
      // The worker holds the delivery; here it is never looked at.
      const delivery = { tag: '', queue: message.routingKey, envelope, isDue: true }
      const call = (): Execution =>
        execute({ delivery, message, task }, { soft: softLimit, hard: undefined }, parts)
      if (trace === undefined || parts.tracing === undefined) return call()
      const { returned, notes } = parts.tracing.runningInChild(trace, call)
      return { ...returned, notes }
    } catch (thrown) {
      const outcome: Outcome = { kind: 'failure', thrown }
      return { outcome, abort: () => undefined }
    }
  }
}

/** Resolves when it is done. */
type Ask = (what: Favour) => Promise<void>

function createFavours({ send }: Channel): {
  readonly ask: Ask
  settle(number: number, error: Error | undefined): void
} {
  const waiting = new Map<number, (error: Error | undefined) => void>()
  let count = 0
  return {
    ask: (what) =>
      new Promise((resolve, reject) => {
        const number = ++count
        waiting.set(number, (error) => (error === undefined ? resolve() : reject(error)))
        send({ type: 'ask', number, what })
      }),
    settle(number, error) {
      waiting.get(number)?.(error)
      waiting.delete(number)
    },
  }
}

function memoryKib(): number {
  if (isMainThread) return Math.round(process.memoryUsage.rss() / 1024)
  // Threads share what is resident.
  const { total_heap_size: heap, external_memory: beside } = getHeapStatistics()
  return Math.round((heap + beside) / 1024)
}
