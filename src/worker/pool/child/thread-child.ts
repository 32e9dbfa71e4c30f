import { Worker } from 'node:worker_threads'
import { moduleForThread } from '../../../thread-module.js'
import type { ChildEnd, ChildProgram, StartChild } from './child.js'
import type { FromChild } from './messages.js'

/** How {@link StartChild} makes a thread of this process. */
export function threadStarter({ orders, env, memoryLimitKib }: ChildProgram): StartChild {
  const resourceLimits =
    memoryLimitKib === undefined ? {} : { maxOldGenerationSizeMb: Math.ceil(memoryLimitKib / 1024) }
  return (onMessage) => {
    const { url, loader } = moduleForThread(import.meta.url, './main')
    // Options of Node.js are inherited, and many of them are refused where they are named.
    const options = loader === undefined ? {} : { execArgv: ['--import', loader] }
    const worker = new Worker(url, { workerData: orders, env, resourceLimits, ...options })
    const id = worker.threadId
    let thrown: string | undefined
    let isHeapFull = false
    worker.on('message', (message) => onMessage(message as FromChild))
    worker.on('error', (error: NodeJS.ErrnoException) => {
      thrown = String(error)
      isHeapFull = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    })
    const ended = new Promise<ChildEnd>((resolve) => {
      worker.once('exit', (code) => {
        const how = `exitcode ${code}${thrown === undefined ? '' : ` (${thrown})`}`
        resolve({ how, cause: isHeapFull ? 'MEMORY_LIMIT' : 'WORKER_LOST' })
      })
    })
    const kill = (): void => void worker.terminate()
    return {
      id,
      ended,
      send: (message) => worker.postMessage(message),
      signal: (signal) => signal === 'SIGKILL' && kill(),
      kill,
      memoryKib: () => memoryKib(worker),
    }
  }
}

/** Node.js 22.16 and newer tell what a thread has, in and beside its heap; before, V8 alone keeps the limit, of the heap. */
export const canReadThreadMemory = 'getHeapStatistics' in Worker.prototype

type ReadableThread = Worker & {
  getHeapStatistics(): Promise<{ readonly total_heap_size: number; readonly external_memory: number }>
}

async function memoryKib(worker: Worker): Promise<number | undefined> {
  if (!canReadThreadMemory) return undefined
  // It may have ended.
  const memory = await (worker as ReadableThread).getHeapStatistics().catch(() => undefined)
  return memory && (memory.total_heap_size + memory.external_memory) / 1024
}
