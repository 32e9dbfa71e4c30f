import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { Celery } from '../../../src/index.js'
import { describeThrown } from '../../../src/serialization/exceptions.js'
import { framesOf } from '../../../src/serialization/frames.js'

const OWN = fileURLToPath(new URL('../../../src/', import.meta.url))
/** What stands above the function of a task, where a tracer is at work. */
const ABOVE = [
  'at /app/node_modules/@opentelemetry/context/build/index.js:9:1',
  `at Object.run (file://${OWN}app/registered-task.ts:45:7)`,
  'at AsyncLocalStorage.run (node:async_hooks:346:14)',
  `at begin (${OWN}worker/runner.ts:41:3)`,
]
const USERS = ['at inner (/app/shop.js:3:1)', 'at Array.map (<anonymous>)', 'at /app/shop.js:5:1']
const SHOWN = [
  'File "/app/shop.js", line 5, in <anonymous>',
  'at Array.map (<anonymous>)',
  'File "/app/shop.js", line 3, in inner',
]

/** @param frames - As V8 has them, the newest call first. */
function thrownAt(frames: readonly string[], cause?: Error): Error {
  const error = new Error('boom', { cause })
  error.stack = `Error: boom\n${frames.map((frame) => `    ${frame}`).join('\n')}`
  return error
}

it('leaves out the frames of the runtime above those of the user, also of causes', () => {
  const above = ABOVE.slice(1)
  expect(framesOf(thrownAt([...USERS, ...above]))).toEqual(SHOWN)
  const { traceback } = describeThrown(thrownAt([...USERS, ...above], thrownAt([...USERS, ...above])))
  expect(traceback.match(/in inner$/gm)).toHaveLength(2)
  expect(traceback).not.toContain(OWN)
})

it('leaves them out where a tracer stands between', () => {
  const [tracer = '', ...above] = ABOVE
  expect(framesOf(thrownAt([...USERS, `at wrap (${OWN}app/tracing.ts:1:1)`, tracer, ...above]))).toEqual(
    SHOWN,
  )
})

it('keeps what the user has called of the runtime, and the frames of bundled tasks', () => {
  const called = `at get (${OWN}results/async-result.ts:9:1)`
  const bundled = `at fail (${OWN}tasks/demo.ts:7:1)`
  expect(framesOf(thrownAt([called, bundled, ...ABOVE.slice(1)]))).toEqual([
    `File "${OWN}tasks/demo.ts", line 7, in fail`,
    `File "${OWN}results/async-result.ts", line 9, in get`,
  ])
})

it('keeps all frames where none is the user’s', () => {
  expect(framesOf(thrownAt(ABOVE))).toHaveLength(ABOVE.length)
})

it('shows what a worker stores of the user’s function only', async () => {
  const app = new Celery('test', { broker: 'memory://', backend: 'memory://' })
  app.task('bad', function bad() {
    throw new TypeError('no')
  })
  await using worker = await app.startWorker()
  const error: unknown = await (await app.sendTask('bad')).get().catch((thrown: unknown) => thrown)
  expect((error as { traceback: string }).traceback).toMatch(
    /^Traceback.*\n {2}File ".*frames\.test\.ts", line \d+, in bad\nTypeError: no\n$/,
  )
  expect(worker.hostname).toContain('@')
  await app.close()
})
