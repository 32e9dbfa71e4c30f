import { expect, it, onTestFinished } from 'vitest'
import { testApp } from '../../support/test-app.js'

it('refuses options of a retry by name and value, which the task then fails with', async () => {
  const app = testApp('memory://')
  let options: unknown
  const again = app.task('again', { bind: true }, (task) => {
    throw task.retry(options as object)
  })
  const worker = await app.startWorker()
  onTestFinished(() => worker.stop())
  for (const [given, fault] of [
    [{ countdown: 'soon' }, 'countdown: expected seconds, got string "soon"'],
    [{ countdow: 3 }, 'countdow: unknown option of a retry; did you mean countdown?'],
    [{ eta: '2030-01-01' }, 'eta: expected a valid Date, got string "2030-01-01"'],
    [{ maxRetries: -1 }, 'maxRetries: expected an integer, 0 or more, or null, got number -1'],
    [{ args: 5 }, 'args: expected an array, got number 5'],
    [{ kwargs: [1] }, 'kwargs: expected an object, got array of 1'],
    [null, 'retry: expected an object of options, got null'],
    [5, 'retry: expected an object of options, got number 5'],
  ]) {
    options = given
    const result = await again.delay()
    await expect(result.get({ timeout: 5000 })).rejects.toMatchObject({
      excType: 'InvalidArgumentError',
      excMessage: [fault],
    })
  }
})

it('takes null as the most retries: any number of them', async () => {
  const app = testApp('memory://')
  const again = app.task('again', { bind: true, maxRetries: 0 }, (task) => {
    if (task.request.retries === 0) throw task.retry({ maxRetries: null, countdown: 0 })
    return 'done'
  })
  const worker = await app.startWorker()
  onTestFinished(() => worker.stop())

  const result = await again.delay()

  expect(await result.get({ timeout: 5000 })).toBe('done')
})
