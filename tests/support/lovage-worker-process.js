/**
 * A Lovage worker in a process of its own, to be killed and frozen. Arguments: the app's settings and the worker's
 * options, each as JSON. SIGTERM stops it.
 */
import process from 'node:process'
import { performance } from 'node:perf_hooks'
import { Redis } from 'ioredis'
import { Celery, createLog } from 'lovage'
import { registerSharedTasks } from './shared-tasks.js'

const [settings = '{}', options = '{}'] = process.argv.slice(2)
const app = new Celery('process', { log: createLog(), ...JSON.parse(settings) })
const notes = new Redis(app.settings.broker)
registerSharedTasks(app, notes)
const die = async (key) => {
  await notes.incr(key)
  process.kill(process.pid, 'SIGKILL')
}
app.task('poison.kill', die)
app.task('poison.kill_once', { rejectOnWorkerLost: false }, die)
app.task('poison.block', async (key, ms) => {
  await notes.incr(key)
  const until = performance.now() + ms
  while (performance.now() < until);
})
const worker = await app.startWorker(JSON.parse(options))

process.once('SIGTERM', () => {
  void worker
    .stop()
    .then(() => app.close())
    .then(() => notes.quit())
})
