import { expect, it } from 'vitest'
import { Celery } from '../../../src/index.js'
import { refuseRedelivery } from '../../../src/worker/redelivery.js'

it('says of a task that is not run again that it filled the heap of its thread', () => {
  const app = new Celery('test', { broker: 'memory://', taskMaxDeliveries: 1 })
  app.task('shop.hoard', () => 0)
  const { tasks, settings } = app.workerParts()
  const task = tasks.get('shop.hoard')
  if (task === undefined) throw new Error('not registered')
  const lost = { at: new Date(), cause: 'MEMORY_LIMIT', worker: 'a@here', hasBegun: true } as const
  const earlier = { count: 1, lost: 1, hasBegun: true, history: [lost] }
  expect(refuseRedelivery(earlier, task, settings)?.reason).toEqual({
    code: 'TOO_MANY_DELIVERIES',
    message:
      'shop.hoard was delivered once without being acknowledged, last to a@here, where its child took more memory ' +
      'than it may; the limit taskMaxDeliveries is 1',
  })
})
