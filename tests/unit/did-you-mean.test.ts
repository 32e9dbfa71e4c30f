import { expect, it } from 'vitest'
import { didYouMean } from '../../src/did-you-mean.js'

const KNOWN = ['taskDefaultQueue', 'taskRoutes', 'timezone', 'broker']

it.each([
  ['task_default_queue', 'taskDefaultQueue'],
  ['TASK_DEFAULT_QUEUE', 'taskDefaultQueue'],
  ['taskDefautQueue', 'taskDefaultQueue'],
  ['taskRoute', 'taskRoutes'],
  ['timeZone', 'timezone'],
  ['broke', 'broker'],
  ['somethingElse', undefined],
  ['', undefined],
])('for %j it is %j', (name, meant) => {
  expect(didYouMean(name, KNOWN)).toBe(meant)
})
