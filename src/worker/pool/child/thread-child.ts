import { getHeapStatistics } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { canReadThreadMemory, threadMeter } from './thread-memory.js'
import { moduleForThread } from '../../../thread-module.js'
import type { ChildEnd, ChildProgram, StartChild } from './child.js'
import type { FromChild } from './messages.js'

/** How {@link StartChild} makes a thread of this process. */
export function threadStarter({ orders, env, memoryLimitKib }: ChildProgram): StartChild {
  const resourceLimits =
    memoryLimitKib === undefined ? {} : { maxOldGenerationSizeMb: heapLimit(memoryLimitKib) }
  const meter = memoryLimitKib === undefined ? undefined : threadMeter()
  return (onMessage) => {
    const { url, loader } = moduleForThread(import.meta.url, './main')
    // Options of Node.js are inherited, and many of them are refused where they are named.
    const options = loader === undefined ? {} : { execArgv: ['--import', loader] }
    const worker = new Worker(url, { workerData: orders, env, resourceLimits, ...options })
    const memoryKib = meter?.(worker)
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
      memoryKib: memoryKib ?? (() => Promise.resolve(undefined)),
    }
  }
}

/**
 * What V8 allows, in MiB. Its own limit takes the whole process along where one object goes beyond it, and is slow
 * where many small ones do, so that it is no lower than ever where somebody else looks.
 */
function heapLimit(memoryLimitKib: number): number {
  const asked = Math.ceil(memoryLimitKib / 1024)
  return canReadThreadMemory ? Math.max(asked, getHeapStatistics().heap_size_limit / 2 ** 20) : asked
}
