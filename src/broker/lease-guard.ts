import { Worker } from 'node:worker_threads'
import { moduleForThread } from '../thread-module.js'
import type { GuardedLease } from './keep-lease.js'
import type { Log } from '../log.js'

/** Keeps a consumer's lease while a task holds up the event loop (decision 10). */
export interface LeaseGuard {
  start(): void
  stop(): Promise<void>
}

/** Nothing but a look every so often; what it takes to renew is loaded when the event loop stands still. */
const WATCH = `
const { workerData } = require('node:worker_threads')
const beats = new Int32Array(workerData.beats)
let seen = -1
let misses = 0
let keeper
const load = async () => {
  if (workerData.loader) await import(workerData.loader)
  const { createLeaseKeeper } = await import(workerData.module)
  return createLeaseKeeper(workerData.guarded)
}
setInterval(async () => {
  const count = Atomics.load(beats, 0)
  misses = count === seen ? misses + 1 : 0
  seen = count
  if (misses >= 2) await (await (keeper ??= load())).keep()
  else if (keeper) (await keeper).rest()
}, workerData.lookMs)
`

export function createLeaseGuard(guarded: GuardedLease, log: Log): LeaseGuard {
  const beats = new Int32Array(new SharedArrayBuffer(4))
  // Two looks without a beat in between, and a renewal well before the lease is over.
  const lookMs = guarded.everyMs / 4
  let thread: Worker | undefined
  let timer: NodeJS.Timeout | undefined
  return {
    start() {
      const { url, loader } = moduleForThread(import.meta.url, './keep-lease')
      const workerData = { beats: beats.buffer, lookMs, guarded, module: url.href, loader }
      thread = new Worker(WATCH, { eval: true, workerData, execArgv: [] })
      thread.unref()
      thread.on('error', (error) => {
        log.warn({ err: error }, 'the lease is not guarded while tasks hold up the event loop')
      })
      timer = setInterval(() => Atomics.add(beats, 0, 1), lookMs / 2).unref()
    },
    async stop() {
      clearInterval(timer)
      await thread?.terminate()
    },
  }
}
