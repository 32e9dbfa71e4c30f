import { beforeEach, describe, expect, it, vi } from 'vitest'
import { chain, chord, group, type Celery, type Signature, type TaskError } from '../../../src/index.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

const WAIT = { timeout: 20_000 }
type Gettable = { readonly id: string; get(options: object): Promise<unknown> }

describe.each(['redis', 'memory'])('on %s', (kind) => {
  let app: Celery
  let log: unknown[]

  beforeEach(async () => {
    const url = kind === 'redis' ? (await startRedis()).url : 'memory://'
    app = testApp(url)
    log = []
  })

  const tasks = () => {
    const add = app.task('add', (x: number, y: number) => x + y)
    const mul = app.task('mul', (x: number, y: number) => x * y)
    const total = app.task('total', (numbers: number[]) => numbers.reduce((sum, each) => sum + each, 0))
    const fail = app.task('fail', (why: string): number => {
      throw new RangeError(why)
    })
    const note = app.task('note', (value: unknown) => {
      log.push(value)
      return value
    })
    return { add, mul, total, fail, note }
  }
  const run = async (canvas: Signature): Promise<unknown> =>
    ((await canvas.applyAsync()) as Gettable).get(WAIT)

  it('runs every primitive', async () => {
    const { add, mul, total } = tasks()
    await using _ = await app.startWorker()
    expect(await run(chain(add.s(1, 2), mul.s(3), add.s(4)))).toBe(13)
    expect(await run(group(add.s(1, 1), mul.s(2, 3)))).toEqual([2, 6])
    expect(await run(chord([add.s(1, 1), add.s(2, 2)], total.s()))).toBe(6)
    expect(await run(chord([], total.s()))).toBe(0)
    expect(await run(chain(add.s(1, 1), group(add.s(2), mul.s(3)), total.s()))).toBe(10)
    expect(await run(chain(add.s(1, 1), group(add.s(2), mul.s(3))))).toEqual([4, 6])
    expect(await run(total.map([[1, 2], [3]]))).toEqual([3, 3])
    expect(
      await run(
        add.starmap([
          [1, 2],
          [3, 4],
        ]),
      ),
    ).toEqual([3, 7])
    expect(
      await run(
        add.chunks(
          [
            [1, 1],
            [2, 2],
            [3, 3],
          ],
          2,
        ),
      ),
    ).toEqual([[2, 4], [6]])
  })

  it('runs nested ones', async () => {
    const { add, total, mul } = tasks()
    await using _ = await app.startWorker()
    const inner = chord([add.s(1, 1), add.s(2, 2)], total.s())
    expect(
      await run(chord([inner, chain(add.s(1, 1), mul.s(5)), add.s(3, 3)], chain(total.s(), add.s(100)))),
    ).toBe(122)
    expect(await run(chord([group(add.s(1, 1), add.s(2, 2)), add.s(3, 3)], app.signature('total')))).toBe(12)
    expect(await run(chord([add.s(1, 1), add.s(2, 2)], group(total.s(), total.s())))).toEqual([6, 6])
    const rounds = Array.from({ length: 10 }, () => [
      group(add.s(1), add.s(2)),
      total.s(),
    ]).flat() as Signature[]
    let expected = 2
    for (let round = 0; round < 10; round++) expected = 2 * expected + 3
    expect(await run(chain([add.s(1, 1), ...rounds]) as Signature)).toBe(expected)
    // A header whose member ends in a group keeps its structure.
    const nested = chain(add.s(1, 1), group(add.s(1), add.s(2)))
    const echo = app.task('echo', (value: unknown) => value)
    expect(await run(chord([nested, add.s(5, 5)] as never, echo.s() as never))).toEqual([[3, 4], 10])
  })

  it('tells whoever waits of a failure, wherever it is', async () => {
    const { add, total, fail, note } = tasks()
    await using _ = await app.startWorker()
    const noteError = app.task('note_error', { argNames: ['id', 'where'] }, (id: string, where?: string) => {
      log.push([where, id])
    })
    const failing = async (canvas: Signature, options: object = {}): Promise<unknown> => {
      const sent = (await canvas.applyAsync()) as Gettable
      return sent.get({ ...WAIT, ...options }).then(
        () => 'no failure',
        (error: unknown) => [(error as TaskError).excType, (error as TaskError).excMessage[0]],
      )
    }
    expect(await failing(chain(add.s(1, 2), fail.si('middle'), add.s(1)))).toEqual(['RangeError', 'middle'])
    expect(await failing(chain(fail.si('first'), group(add.s(1), add.s(2)), total.s()))).toEqual([
      'RangeError',
      'first',
    ])
    expect(await failing(chain(fail.si('before a group'), group(add.s(1), add.s(2))))).toEqual([
      'RangeError',
      'before a group',
    ])
    const chordError = [
      'ChordError',
      expect.stringMatching(/^Dependency [-0-9a-f]+ raised RangeError\('header'\)$/),
    ]
    const failed = chord([add.s(1, 1), fail.s('header')], total.s())
    expect(await failing(failed)).toEqual(['RangeError', 'header'])
    const itself = { followParents: false }
    expect(await failing(failed, itself)).toEqual(chordError)
    expect(await failing(chain(failed, add.s(1)), itself)).toEqual(chordError)
    // A chain in a header fails before its last step, which is the part.
    const failedChain = chord([chain(fail.si('header'), add.s(1)), add.s(1, 1)], total.s())
    expect(await failing(failedChain, itself)).toEqual(chordError)
    // Chords in chords fail from the inside out.
    const inner = chord([fail.s('inner'), add.s(1, 1)], total.s())
    expect(await failing(chord([inner, add.s(1, 1)], total.s()), itself)).toEqual([
      'ChordError',
      expect.stringContaining('raised ChordError'),
    ])
    expect(await failing(chord([add.s(1, 1)], fail.si('body') as never))).toEqual(['RangeError', 'body'])
    // A body that is a group fails as its header did.
    expect(await failing(chord([add.s(1, 1), fail.s('header')], group(total.s(), total.s())))).toEqual([
      'RangeError',
      'header',
    ])

    const body = (await chord(
      [fail.s('told'), add.s(1, 1)],
      total.s().onError(noteError.s('body') as never),
    ).applyAsync()) as Gettable
    await body.get(WAIT).catch(() => undefined)
    await vi.waitFor(() => expect(log).toEqual([['body', body.id]]), WAIT)
    log.length = 0
    await (
      await chain(add.s(1, 1), fail.si('told'), note.s())
        .onError(noteError.s('step') as never)
        .applyAsync()
    )
      .get(WAIT)
      .catch(() => undefined)
    await vi.waitFor(() => expect(log).toEqual([['step', expect.any(String)]]), WAIT)
  })

  it('calls an errback that takes the error in this worker', async () => {
    const { fail } = tasks()
    const seen: unknown[] = []
    const onError = app.task(
      'on_error',
      (request: { id: string; task: string }, error: Error, traceback: string) => {
        seen.push([request.task, request.id, error.message, traceback.includes('RangeError')])
      },
    )
    await using _ = await app.startWorker()
    const sent = await fail.s('seen').onError(onError.s()).applyAsync()
    await sent.get(WAIT).catch(() => undefined)
    await vi.waitFor(() => expect(seen).toEqual([['fail', sent.id, 'seen', true]]), WAIT)
  })

  it('replaces a task by another, by a chain, by a group, and in a chord', async () => {
    const { add, mul, total, note } = tasks()
    const byTask = app.task('by_task', { bind: true }, (task, x: number): number => {
      throw task.replace(add.s(x, 100))
    })
    const byChain = app.task('by_chain', { bind: true }, (task, x: number): number => {
      throw task.replace(chain(add.s(x, 1), mul.s(10)))
    })
    const byGroup = app.task('by_group', { bind: true }, (task, x: number): number[] => {
      throw task.replace(group(add.s(x, 1), add.s(x, 2)))
    })
    await using _ = await app.startWorker()
    expect(await run(byTask.s(5).link(note.s()))).toBe(105)
    expect(await run(byChain.s(5).link(note.s()))).toBe(60)
    expect(await run(byGroup.s(5).link(note.s()))).toEqual([6, 7])
    await vi.waitFor(() => expect(log).toHaveLength(3), WAIT)
    expect(log).toEqual(expect.arrayContaining([105, 60, [6, 7]]))
    expect(await run(chain(byTask.s(5), add.s(1), byChain.s(), add.s(1)))).toBe(1071)
    expect(await run(chain(byGroup.s(5), total.s()))).toBe(13)
    expect(await run(chord([byTask.s(1), byChain.s(1), add.s(1, 1)], total.s()))).toBe(123)
  })

  it('adds to a chord while it runs', async () => {
    const { add, total } = tasks()
    const grow = app.task('grow', { bind: true }, async (task, x: number) => {
      await task.addToChord(add.s(x, 1000))
      return x
    })
    await using _ = await app.startWorker()
    expect(await run(chord([grow.s(1), grow.s(2)], total.s()))).toBe(2006)
    await expect(run(grow.s(1))).rejects.toThrow(/no part of a chord/)
  })

  it('adds the same to a chord where a task runs again, and more than one of its own', async () => {
    const { add, total } = tasks()
    const grow = app.task('grow_again', { bind: true }, async (task, x: number) => {
      await task.addToChord(add.s(x, 10))
      await task.addToChord(add.s(x, 100))
      if (task.request.retries === 0) throw task.retry({ countdown: 0 })
      return x
    })
    await using _ = await app.startWorker()
    expect(await run(chord([grow.s(1), add.s(2, 2)], total.s()))).toBe(1 + 4 + 11 + 101)
  })

  it('retries inside chords and chains, and keeps all of them', async () => {
    const { add, total } = tasks()
    const flaky = app.task('flaky', { bind: true }, (task, x: number) => {
      if (task.request.retries < 2) throw task.retry({ countdown: 0 })
      return x
    })
    await using _ = await app.startWorker()
    expect(await run(chord([flaky.s(1), chain(flaky.s(2), add.s(1))], chain(total.s(), flaky.s())))).toBe(4)
  })

  it('names children, parents and roots as Celery does', async () => {
    const { add, total } = tasks()
    await using _ = await app.startWorker()
    const ends = await chain(add.s(1, 1), group(add.s(2), add.s(3)), total.s()).applyAsync()
    expect(await ends.get(WAIT)).toBe(9)
    const body = await app.backend.fetch(ends.id)
    const part = await app.backend.fetch(body?.parentId ?? '')
    const first = await app.backend.fetch(part?.parentId ?? '')
    expect(first?.parentId).toBeUndefined()
    const [header] = first?.children as [[[string, null], [[string, null], null][]]]
    expect(header[0]).toEqual([part?.groupId, null])
    expect(header[1].map(([[id]]) => id)).toContain(part?.taskId)
    expect(body?.groupId).toBe(part?.groupId)
  })
})
