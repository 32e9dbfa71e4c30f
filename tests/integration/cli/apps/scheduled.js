import process from 'node:process'
import { Celery, every } from 'lovage'

const app = new Celery('scheduled', {
  broker: process.env.SCHEDULED_REDIS,
  brokerTransportOptions: { globalKeyprefix: process.env.SCHEDULED_PREFIX },
})
const tick = app.task('scheduled.tick', () => 'ticked')
app.addPeriodicTask(every(1), tick.s(), { name: 'often' })

export default app
