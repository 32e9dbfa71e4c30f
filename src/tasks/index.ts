import { registerDemoTasks } from './demo.js'
import { registerReportTasks, type ReportTaskOptions } from './reports/index.js'
import type { Celery } from '../index.js'

/** The tasks that come with the service. */
export function registerBundledTasks(app: Celery, options: ReportTaskOptions): void {
  registerDemoTasks(app)
  registerReportTasks(app, options)
}

/** The queues of the bundled tasks beside the default one. */
export const BUNDLED_QUEUES = ['reports'] as const
