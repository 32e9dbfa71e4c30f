import type { Celery } from '../../../src/index.js'

/** Tasks of pytasks.py, with the same outcomes. */
export function addPytasks(app: Celery): void {
  app.task('pytasks.add', (x: number, y: number) => x + y)
  app.task('pytasks.fail', (message: string) => {
    const error = new Error(message)
    error.name = 'ValueError'
    throw error
  })
  app.task('pytasks.retry_once', { bind: true, maxRetries: 1 }, (task, value: unknown) => {
    const cause = new Error('not yet')
    cause.name = 'ValueError'
    if (task.request.retries === 0) throw task.retry({ cause, countdown: 0 })
    return value
  })
  app.task('pytasks.raise_reject', { bind: true }, (task) => {
    throw task.reject('rejected on purpose')
  })
  app.task('pytasks.raise_ignore', { bind: true }, (task) => {
    throw task.ignore()
  })
}
