import process from 'node:process'
import { Celery } from 'lovage'
import { registerWork } from './register-work.js'

/** What children import. Where its broker is, and its settings, stand in the environment. */
export const app = new Celery('work', JSON.parse(process.env.WORK_SETTINGS ?? '{}'))
registerWork(app)
