import { Worker } from 'node:worker_threads'

/** In a thread of its own, since a task may hold up the event loop for ever. */
const WATCH = `
const { Socket } = require('node:net')
const { workerData: fd } = require('node:worker_threads')
const end = () => process.kill(process.pid, 'SIGKILL')
new Socket({ fd }).on('error', end).on('close', end).resume()
`

/**
 * End this process at once when the one that started it is gone, however that died: what runs here would run beside its
 * own repetition elsewhere, and nobody is left to take the result.
 *
 * @param fd - whose other end that process alone holds open.
 */
export function endWithParent(fd: number): void {
  const watch = new Worker(WATCH, {
    eval: true,
    workerData: fd,
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  })
  watch.unref()
}
