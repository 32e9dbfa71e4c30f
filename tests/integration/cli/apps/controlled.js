import { Celery } from 'lovage'

export const app = new Celery('controlled', { broker: 'redis://localhost:1/0' })
app.controlCommand('slow', () => null)
