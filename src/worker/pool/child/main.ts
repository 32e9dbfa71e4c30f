// What a child of a worker's pool runs: a process of its own, or a thread.
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { endWithParent } from './end-with-parent.js'
import { serve, type Channel } from './serve.js'
import type { ChildOrders, FromChild, ToChild } from './messages.js'

const PARENT_FD = 4

function processChannel(): Channel {
  endWithParent(PARENT_FD)
  // Ctrl-C reaches the whole group, and service managers signal all; when children end is for their worker to say.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)
    process.on(signal, () => undefined)
  return {
    send: (message: FromChild) => void process.send?.(message, undefined, undefined, () => undefined),
    onMessage: (listener) => process.on('message', (message) => listener(message as ToChild)),
  }
}

function threadChannel(): Channel {
  return {
    send: (message: FromChild) => parentPort?.postMessage(message),
    onMessage: (listener) => parentPort?.on('message', (message: ToChild) => listener(message)),
  }
}

if (isMainThread) serve(processChannel(), JSON.parse(process.argv[2] ?? '{}') as ChildOrders)
else serve(threadChannel(), workerData as ChildOrders)
