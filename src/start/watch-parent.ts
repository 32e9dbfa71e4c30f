// Loaded into each process that `npm start` runs, before its own code: when the parent is gone, however it died,
// the process is asked to end, and ended when it does not.
import { isMainThread } from 'node:worker_threads'

/** Longer than a worker lets its tasks finish by default. */
const GRACE_MS = 35_000

function stop(): void {
  process.kill(process.pid, 'SIGTERM')
  setTimeout(() => process.exit(1), GRACE_MS).unref()
}

if (isMainThread && process.send !== undefined) {
  process.once('disconnect', stop)
  // The channel is there to break; it must not keep the process alive.
  process.channel?.unref()
  // Nobody reads what is printed once the parent is gone; that must not end a stop half-way.
  process.stdout.on('error', () => undefined)
  process.stderr.on('error', () => undefined)
}
