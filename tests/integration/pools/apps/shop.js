import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Celery } from 'lovage'

/** Its broker is nowhere: whoever uses it has to name another. */
export const app = new Celery('shop', { broker: 'redis://127.0.0.1:1/0', backend: 'redis://127.0.0.1:1/0' })

app.task('shop.where', () => process.pid)
app.task('shop.limit', { bind: true }, async ({ signal }) => {
  await sleep(60_000, undefined, { signal }).catch(() => undefined)
  return signal.reason.name
})
app.task('shop.log', { bind: true }, ({ log }, text) => {
  log.info({}, `${text} by a task`)
})
app.task('shop.spin', { bind: true }, async (task) => {
  await task.updateState('AT_WORK', process.pid)
  for (;;);
})
