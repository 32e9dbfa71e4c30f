import { ApiError } from './api-error.js'
import { didYouMean } from '../did-you-mean.js'
import type { Celery } from '../index.js'

/** @throws ApiError 404 `TASK_NOT_ALLOWED` for a task that callers may not send. */
export type CheckTaskAllowed = (name: string) => void

/**
 * Callers may send the tasks that are registered in the app, and those that the operator named: whole names, or
 * patterns in which `*` stands for any text (`pyapp.reports.*`).
 */
export function createAllowedTasks(app: Celery, patterns: readonly string[]): CheckTaskAllowed {
  const matchers = patterns.map(
    (pattern) => new RegExp(`^${pattern.split('*').map(escapePattern).join('.*')}$`, 's'),
  )
  return (name) => {
    if (app.tasks.has(name) || matchers.some((matcher) => matcher.test(name))) return
    const closest = didYouMean(name, [...app.tasks.keys()])
    throw new ApiError(
      404,
      'TASK_NOT_ALLOWED',
      `task ${JSON.stringify(name)} may not be sent from here` +
        (closest === undefined ? '' : `; did you mean ${JSON.stringify(closest)}?`),
    )
  }
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
