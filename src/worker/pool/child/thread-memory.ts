import { createRequire } from 'node:module'
import { isMainThread, Worker } from 'node:worker_threads'
import type * as Inspector from 'node:inspector'

/** KiB that a thread has in its heap and beside it, at the moment, whatever it does; undefined when it has ended. */
export type ReadMemory = () => Promise<number | undefined>

/** Node.js 22.16 and newer tell by themselves. */
const hasStatistics = 'getHeapStatistics' in Worker.prototype

/** Whether the memory of a thread can be told: before Node.js 22.16, to the main thread only, by the inspector. */
export const canReadThreadMemory = hasStatistics || canInspect()

/** @returns what is to be called in the turn in which a thread is made. */
export function threadMeter(): (worker: Worker) => ReadMemory {
  if (hasStatistics) return byStatistics
  return canReadThreadMemory ? createInspection() : () => () => Promise.resolve(undefined)
}

type CountingWorker = Worker & {
  getHeapStatistics(): Promise<{ readonly total_heap_size: number; readonly external_memory: number }>
}

function byStatistics(worker: Worker): ReadMemory {
  return async () => {
    // It may have ended.
    const memory = await (worker as CountingWorker).getHeapStatistics().catch(() => undefined)
    return memory && (memory.total_heap_size + memory.external_memory) / 1024
  }
}

function canInspect(): boolean {
  const { permission } = process as { permission?: { has(scope: string): boolean } }
  return isMainThread && process.features.inspector && permission?.has('inspector') !== false
}

/** A thread whose memory is looked at. */
interface Inspected {
  /** Of the inspector; undefined until the thread runs. */
  sessionId: string | undefined
  /** The question that is open; undefined: none. */
  asked: Promise<number | undefined> | undefined
  answer: (kib?: number) => void
}

/** Evaluated between two steps of whatever the thread runs. */
const QUESTION = JSON.stringify({
  id: 1,
  method: 'Runtime.evaluate',
  params: { expression: '(({ heapTotal, external }) => heapTotal + external)(process.memoryUsage())' },
})

/** By a session of the inspector with this process itself, which lasts as long as there are threads. */
function createInspection(): (worker: Worker) => ReadMemory {
  const threads = new Map<number, Inspected>()
  let session: Inspector.Session | undefined

  const open = (): Inspector.Session => {
    // Not every Node.js has it.
    const inspector = createRequire(import.meta.url)('node:inspector') as typeof Inspector
    const opened = new inspector.Session()
    opened.connect()
    opened.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
      const thread = threads.get(threadIdOf(workerInfo.title))
      // Each thread of the process is attached, also those of others.
      if (thread === undefined) opened.post('NodeWorker.detach', { sessionId })
      else thread.sessionId = sessionId
    })
    opened.on('NodeWorker.receivedMessageFromWorker', ({ params: { sessionId, message } }) => {
      for (const thread of threads.values())
        if (thread.sessionId === sessionId) thread.answer(readAnswer(message))
    })
    opened.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
    return opened
  }

  const ask = (thread: Inspected): Promise<number | undefined> =>
    new Promise((resolve) => {
      thread.answer = resolve
      const { sessionId } = thread
      if (sessionId === undefined) return resolve(undefined)
      session?.post('NodeWorker.sendMessageToWorker', { sessionId, message: QUESTION }, (error) => {
        if (error !== null) thread.answer()
      })
    })

  return (worker) => {
    const thread: Inspected = { sessionId: undefined, asked: undefined, answer: () => undefined }
    const id = worker.threadId
    threads.set(id, thread)
    session ??= open()
    worker.once('exit', () => {
      threads.delete(id)
      thread.sessionId = undefined
      thread.answer()
      if (threads.size > 0) return
      session?.disconnect()
      session = undefined
    })
    return () => (thread.asked ??= ask(thread).finally(() => (thread.asked = undefined)))
  }
}

/** Its `workerId` counts what was attached, in whatever order threads begin. */
function threadIdOf(title: string): number {
  return Number(/^\[worker (\d+)\]/.exec(title)?.[1])
}

function readAnswer(message: string): number | undefined {
  const { result } = JSON.parse(message) as { result?: { result?: { value?: unknown } } }
  const bytes = result?.result?.value
  return typeof bytes === 'number' ? bytes / 1024 : undefined
}
