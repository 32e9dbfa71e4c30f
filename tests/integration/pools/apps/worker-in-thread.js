import { parentPort, workerData } from 'node:worker_threads'
import { URL } from 'node:url'
import { Celery } from 'lovage'
import { registerWork } from './register-work.js'

// A worker in a thread, which says what it warns of, and stops when it is told something.
const { settings, options } = workerData
const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (_fields, message) => parentPort.postMessage(message),
  error: () => undefined,
  isLevelEnabled: () => true,
  child: () => log,
}
const app = new Celery('test', { ...settings, log })
registerWork(app)
const worker = await app.startWorker({
  ...options,
  pool: 'threads',
  concurrency: 1,
  appModule: new URL('./work.js', import.meta.url),
  childEnv: { WORK_SETTINGS: JSON.stringify(settings) },
})
parentPort.once('message', async () => {
  await worker.stop()
  await app.close()
})
