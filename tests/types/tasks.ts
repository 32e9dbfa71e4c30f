// Row 45: what the compiler must accept and refuse. Never run: `npm run typecheck` fails where a line below does not
// hold, or where a line that has to be an error is none.
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { Celery, crontab, type AsyncResult, type Signature, type TaskContext } from '../../src/index.js'

const app = new Celery('types')

// Arguments and results are those of the function.
const add = app.task('add', (x: number, y: number) => x + y)
expectTypeOf<Parameters<typeof add.delay>>().toEqualTypeOf<[x: number, y: number]>()
expectTypeOf<Awaited<ReturnType<typeof add.delay>>>().toEqualTypeOf<AsyncResult<number>>()
expectTypeOf((await add.delay(1, 2)).get()).resolves.toEqualTypeOf<number>()
expectTypeOf(add.s(1)).toEqualTypeOf<Signature<number, number, AsyncResult<number>>>()
await add.applyAsync({ args: [1, 2], countdown: 1, priority: 3 })
// @ts-expect-error -- one argument too few
await add.delay(1)
// @ts-expect-error -- one too many
await add.delay(1, 2, 3)
// @ts-expect-error -- of another type
await add.delay(1, '2')
// @ts-expect-error -- of another type
await add.applyAsync({ args: ['1', 2] })
// @ts-expect-error -- no such option
await add.applyAsync({ args: [1, 2], countDown: 1 })
// @ts-expect-error -- of another type
add.s('1')
// @ts-expect-error -- the result is a number
;(await (await add.delay(1, 2)).get()) satisfies string

// A default value makes an argument optional.
const echo = app.task(
  'echo',
  { argNames: ['message', 'key'] },
  (message: string, key: string = 'echo') => key + message,
)
await echo.delay('hello')
await echo.delay('hello', 'key')
// @ts-expect-error -- an argument is missing
await echo.delay()

// Promises are resolved on the way.
const load = app.task('load', (url: string) => Promise.resolve({ url, size: 5 }))
expectTypeOf((await load.delay('u')).get()).resolves.toEqualTypeOf<{ url: string; size: number }>()

// With `bind` the context comes first and is no argument of the caller.
const crawl = app.task('crawl', { bind: true, maxRetries: 5 }, (task, url: string) => {
  expectTypeOf(task).toEqualTypeOf<TaskContext>()
  expectTypeOf(task.signal).toEqualTypeOf<AbortSignal>()
  expectTypeOf(task.request.retries).toEqualTypeOf<number>()
  return url.length
})
await crawl.delay('https://example.com')
expectTypeOf<Parameters<typeof crawl.delay>>().toEqualTypeOf<[url: string]>()

// With `params` the caller gives what the schema takes in, and the function gets what it puts out.
const report = app.task(
  'report',
  {
    params: z.object({
      report_id: z.string(),
      format: z.enum(['html', 'csv']).default('html'),
      limit: z.string().transform(Number).optional(),
    }),
    timeLimit: 600,
  },
  (params, task) => {
    expectTypeOf(params).toEqualTypeOf<{
      report_id: string
      format: 'html' | 'csv'
      limit?: number | undefined
    }>()
    expectTypeOf(task).toEqualTypeOf<TaskContext>()
    return { url: `/${params.report_id}.${params.format}` }
  },
)
await report.delay({ report_id: 'r-1' })
await report.delay({ report_id: 'r-1', format: 'csv', limit: '5' })
expectTypeOf((await report.delay({ report_id: 'r' })).get()).resolves.toEqualTypeOf<{ url: string }>()
// @ts-expect-error -- a parameter is missing
await report.delay({})
// @ts-expect-error -- of another type
await report.delay({ report_id: 5 })
// @ts-expect-error -- not one of the values
await report.delay({ report_id: 'r-1', format: 'pdf' })
// @ts-expect-error -- unknown
await report.delay({ report_id: 'r-1', colour: 'red' })
// @ts-expect-error -- of another type
await report.applyAsync({ args: [{ report_id: 5 }] })
// @ts-expect-error -- wrong type in a signature
report.s({ report_id: 5 })

// Tasks of Python have the types they are said to have.
const mul = app.remoteTask<[number, number], number>('pytasks.mul')
expectTypeOf((await mul.delay(6, 7)).get()).resolves.toEqualTypeOf<number>()
// @ts-expect-error -- of another type
await mul.delay('6', 7)

// Options, settings and schedules are known by name and type.
// @ts-expect-error -- no such option of a task
app.task('unknown-option', { retryBackof: true }, () => 1)
// @ts-expect-error -- of another type
app.task('wrong-option', { maxRetries: 'five' }, () => 1)
// @ts-expect-error -- no such setting
new Celery('unknown-setting', { brokerUrl: 'memory://' })
// @ts-expect-error -- of another type
new Celery('wrong-setting', { workerConcurrency: '5' })
app.addPeriodicTask(crontab({ minute: '*/5' }), report.s({ report_id: 'daily' }), { name: 'daily' })
// @ts-expect-error -- no field of a crontab
crontab({ minutes: 5 })

// Results are read only.
const result = await add.delay(1, 2)
// @ts-expect-error -- read only
result.id = 'other'
