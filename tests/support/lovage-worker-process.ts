/**
 * A Lovage worker in a process of its own, to be killed and frozen. Arguments: the app's settings and the worker's
 * options, each as JSON. SIGTERM stops it.
 */
import { Redis } from 'ioredis'
import { Celery, createLog, type AppOptions, type WorkerOptions } from '../../src/index.js'
import { registerSharedTasks } from './shared-tasks.js'

const [settings = '{}', options = '{}'] = process.argv.slice(2)
const app = new Celery('process', { log: createLog(), ...(JSON.parse(settings) as AppOptions) })
const notes = new Redis(app.settings.broker)
registerSharedTasks(app, notes)
const die = async (key: string): Promise<void> => {
  await notes.incr(key)
  process.kill(process.pid, 'SIGKILL')
}
app.task('poison.kill', die)
app.task('poison.kill_once', { rejectOnWorkerLost: false }, die)
app.task('poison.block', async (key: string, ms: number) => {
  await notes.incr(key)
  const until = performance.now() + ms
  while (performance.now() < until);
})
const worker = await app.startWorker(JSON.parse(options) as WorkerOptions)

process.once('SIGTERM', () => {
  void worker
    .stop()
    .then(() => app.close())
    .then(() => notes.quit())
})
