/**
 * A worker that tells what it keeps: started with --expose-gc and the URL of its broker, it answers each line of its
 * standard input by one that begins with it. SIGTERM stops it.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { Celery } from 'lovage'

const clients = new Set()
const { connect } = Redis.prototype
Redis.prototype.connect = function (...args) {
  clients.add(this)
  return connect.apply(this, args)
}

const [url] = process.argv.slice(2)
const app = new Celery('row-40', { broker: url, backend: url, resultExpires: 60 })
app.task('noop', () => undefined)
const worker = await app.startWorker()

const listeners = () =>
  [process, ...clients].flatMap((each) => each.eventNames().map((name) => each.listenerCount(name)))

createInterface({ input: process.stdin }).on('line', (question) => {
  for (let i = 0; i < 3; i++) globalThis.gc()
  const resources = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate')
  const timers = resources.filter((kind) => kind === 'Timeout').length
  const { rss: residentBytes, heapUsed: heapBytes } = process.memoryUsage()
  const kept = {
    succeeded: worker.counts().succeeded,
    residentBytes,
    heapBytes,
    timers,
    handles: resources.length - timers,
    listeners: listeners().reduce((sum, count) => sum + count, 0),
    clients: clients.size,
  }
  process.stdout.write(`${question}: ${JSON.stringify(kept)}\n`)
})

process.once('SIGTERM', async () => {
  await worker.stop()
  await app.close()
  process.exit(0)
})
process.stdout.write('ready\n')
