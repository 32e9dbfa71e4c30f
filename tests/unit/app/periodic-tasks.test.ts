import { expect, it } from 'vitest'
import { Celery, chain, every, group, InvalidArgumentError } from '../../../src/index.js'

it('refuses periodic tasks that beat could not send, and names that are taken', () => {
  const app = new Celery('test', { broker: 'memory://' })
  const add = app.task('add', (x: number, y: number) => x + y)
  app.addPeriodicTask(every(10), add.s(1, 1))
  expect(() => app.addPeriodicTask(every(10), add.s(2, 2))).toThrow(InvalidArgumentError)
  expect(() => app.addPeriodicTask(every(10), chain(add.s(1, 1), add.s(1)))).toThrow(/got a chain/)
  expect(() => app.addPeriodicTask(every(10), group(add.s(1, 1), add.s(2, 2)))).toThrow(/got a group/)
  expect(app.periodicTasks).toHaveLength(1)
})
