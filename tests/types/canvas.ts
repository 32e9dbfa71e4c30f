// What the compiler must accept and refuse of signatures. Never run: `npm run typecheck` fails where a line below does
// not hold, or where a line that has to be an error is none.
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { Celery, chain, chord, group, signature, type AsyncResult, type Signature } from '../../src/index.js'

const app = new Celery('types')
const add = app.task('add', (x: number, y: number) => x + y)
const total = app.task('total', (numbers: number[]) => numbers.reduce((sum, each) => sum + each, 0))
const shout = app.task('shout', (text: string) => text.toUpperCase())
const describe = app.task('describe', (value: number) => `${value}`)
const echo = app.task('echo', (message: string, times?: number) => message.repeat(times ?? 1))
const report = app.task(
  'report',
  { params: z.object({ id: z.number(), format: z.string().optional() }) },
  ({ id }) => id,
)
const unknownTask = app.remoteTask('python.task')

// What is left out is in front, and comes from a predecessor.
expectTypeOf(add.s(4)).toEqualTypeOf<Signature<number, number, AsyncResult<number>>>()
expectTypeOf(add.s(1, 2)).toEqualTypeOf<Signature<never, number, AsyncResult<number>>>()
expectTypeOf(add.si(1, 2)).toEqualTypeOf<Signature<unknown, number, AsyncResult<number>>>()
expectTypeOf(echo.s()).toEqualTypeOf<Signature<string, string, AsyncResult<string>>>()
// @ts-expect-error -- of another type
add.s('4')
// @ts-expect-error -- one argument too many
add.s(1, 2, 3)
// @ts-expect-error -- nothing comes in front of an immutable one
add.si(1)

// A chain's steps fit each other.
const chained = chain(add.s(1, 2), add.s(3), describe.s(), shout.s())
expectTypeOf(await chained.applyAsync()).toEqualTypeOf<AsyncResult<string>>()
expectTypeOf(await add.s(1, 2).then(describe.s()).delay()).toEqualTypeOf<AsyncResult<string>>()
chain(add.s(1, 2), echo.si('done'))
// @ts-expect-error -- shout takes no number
chain(add.s(1, 2), shout.s())
// @ts-expect-error -- and so in the middle
chain(add.s(1, 2), shout.s(), shout.s())
// @ts-expect-error -- no room for the result of the first
chain(add.s(1, 2), add.s(3, 4))
// @ts-expect-error -- as an operator, too
add.s(1, 2).then(shout.s())
// @ts-expect-error -- a chain is no string either
chain(chain(add.s(1, 2), add.s(3)), shout.s())

// What is not known is not refused; neither is a list whose length is not known.
chain(unknownTask.s(1), add.s(2))
chain(add.s(1, 2), unknownTask.s())
chain(signature('python.task'), shout.s())
chain([1, 2, 3].map((n) => add.s(n)))
report.s()
report.s({ id: 5 })
chain(add.s(1, 2), report.s())

// A group gives the list of its members' results.
const pair = group(add.s(1, 2), describe.s(3))
expectTypeOf(await (await pair.applyAsync()).get()).toEqualTypeOf<[number, string]>()
expectTypeOf(await (await group([1, 2].map((n) => add.s(n, n))).applyAsync()).get()).toEqualTypeOf<number[]>()
chain(group(add.s(1, 1), add.s(2, 2)), total.s())
chain(add.s(1, 1), group(add.s(2), describe.s()))
// @ts-expect-error -- a list of number and string is none of numbers
chain(pair, total.s())
// @ts-expect-error -- one member takes no number
chain(add.s(1, 1), group(add.s(2), shout.s()))

// A chord's body takes the list.
expectTypeOf(await chord([add.s(1, 1), add.s(2, 2)], total.s()).applyAsync()).toEqualTypeOf<
  AsyncResult<number>
>()
chord(group(add.s(1, 1), add.s(2, 2)), total.s())
chord([], total.s())
chord(
  [1, 2].map((n) => add.s(n, n)),
  total.s(),
)
// @ts-expect-error -- the body takes one string
chord([add.s(1, 1)], shout.s())
// @ts-expect-error -- there is no body
chord([add.s(1, 1)])

// Callbacks get the result.
add.s(1, 2).link(describe.s()).linkError(shout.s())
// @ts-expect-error -- shout takes no number
add.s(1, 2).link(shout.s())

// What runs in one process, or in parts.
expectTypeOf(await add.starmap([[1, 2]]).applyAsync()).toEqualTypeOf<AsyncResult<number[]>>()
total.map([[1, 2], [3]])
// @ts-expect-error -- of another type
total.map(['1'])
expectTypeOf(await (await add.chunks([[1, 2]], 10).applyAsync()).get()).toEqualTypeOf<number[][]>()

// Signatures are read only.
// @ts-expect-error -- read only
chained.immutable = true
