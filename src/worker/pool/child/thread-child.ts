import { Worker } from 'node:worker_threads'
import { moduleForThread } from '../../../thread-module.js'
import type { ChildProgram, StartChild } from './child.js'
import type { FromChild } from './messages.js'

/** How {@link StartChild} makes a thread of this process. */
export function threadStarter({ orders, env }: ChildProgram): StartChild {
  return (onMessage) => {
    const { url, loader } = moduleForThread(import.meta.url, './main')
    // Options of Node.js are inherited, and many of them are refused where they are named.
    const options = loader === undefined ? {} : { execArgv: ['--import', loader] }
    const worker = new Worker(url, { workerData: orders, env, ...options })
    const id = worker.threadId
    let thrown: string | undefined
    worker.on('message', (message) => onMessage(message as FromChild))
    worker.on('error', (error) => (thrown = String(error)))
    const ended = new Promise<string>((resolve) => {
      worker.once('exit', (code) => resolve(`exitcode ${code}${thrown === undefined ? '' : ` (${thrown})`}`))
    })
    const kill = (): void => void worker.terminate()
    return {
      id,
      ended,
      send: (message) => worker.postMessage(message),
      signal: (signal) => signal === 'SIGKILL' && kill(),
      kill,
    }
  }
}
