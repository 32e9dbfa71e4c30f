import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { Celery } from 'lovage'

const { SHUTDOWN_TIMEOUT } = process.env

/** Its broker is nowhere: whoever uses it has to name another, which is also where its tasks leave notes. */
export const app = new Celery('stopping', {
  broker: 'redis://127.0.0.1:1/0',
  ...(SHUTDOWN_TIMEOUT && { workerShutdownTimeout: Number(SHUTDOWN_TIMEOUT) }),
})
let notes
const note = () => (notes ??= new Redis(app.settings.broker))

app.task('stopping.hold', { bind: true }, async (task, key) => {
  await note().rpush(`${key}:started`, task.request.id)
  await note().duplicate().blpop(`${key}:release`, 60)
  return 'released'
})
app.task('stopping.count', { bind: true }, async (task, key, ms) => {
  await note().hincrby(key, task.request.id, 1)
  await sleep(ms)
  return ms
})
