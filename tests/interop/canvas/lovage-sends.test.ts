import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Celery, chain, chord, group } from '../../../src/index.js'
import { celeryGenerations } from '../../support/celery-generations.js'
import { eventually } from '../../support/eventually.js'
import { startPythonWorker, type PythonWorker } from '../../support/python-worker.js'
import { redisClient, startRedis, type RedisServer } from '../../support/redis-server.js'

const TIMEOUT = { timeout: 60_000 }

// Only Python works: what Lovage sends is Celery's own.
describe.each(celeryGenerations)('a canvas of Lovage, run by $name', ({ python }) => {
  let redis: RedisServer
  let app: Celery
  let worker: PythonWorker

  beforeAll(async () => {
    redis = await startRedis()
    app = new Celery('interop', { broker: redis.url, backend: redis.url })
    worker = await startPythonWorker({ broker: redis.url, python })
  })
  afterAll(async () => {
    await worker.kill()
    await app.close()
    await redis.stop()
  })

  const tasks = (): Record<
    'add' | 'mul' | 'xsum' | 'fail' | 'noteError',
    ReturnType<Celery['remoteTask']>
  > => ({
    add: app.remoteTask('pytasks.add'),
    mul: app.remoteTask('pytasks.mul'),
    xsum: app.remoteTask('pytasks.xsum'),
    fail: app.remoteTask('pytasks.fail'),
    noteError: app.remoteTask('pytasks.note_error'),
  })

  it.each([
    ['a chain', () => chain(tasks().add.s(1, 2), tasks().mul.s(3), tasks().add.s(4)), 13],
    ['a chord', () => chord([tasks().add.s(1, 1), tasks().add.s(2, 2)], tasks().xsum.s()), 6],
    ['a chord of nothing', () => chord([], tasks().xsum.s()), 0],
    [
      'a group between tasks',
      () => chain(tasks().add.s(1, 1), group(tasks().add.s(2), tasks().mul.s(3)), tasks().xsum.s()),
      10,
    ],
    [
      'a chain in a header, and a chain as a body',
      () =>
        chord(
          [chain(tasks().add.s(1, 1), tasks().mul.s(5)), tasks().add.s(2, 2)],
          chain(tasks().xsum.s(), tasks().add.s(100)),
        ),
      114,
    ],
    [
      'a chord in a header, and a group in a header',
      () =>
        chord(
          [
            chord([tasks().add.s(1, 1), tasks().add.s(2, 2)], tasks().xsum.s()),
            group(tasks().add.s(3, 3), tasks().add.s(4, 4)),
          ],
          tasks().xsum.s(),
        ),
      20,
    ],
    [
      'five chained chords',
      () =>
        chain([
          tasks().add.s(1, 1),
          ...Array.from({ length: 5 }, () => [
            group(tasks().add.s(1), tasks().add.s(2)),
            tasks().xsum.s(),
          ]).flat(),
        ]),
      157,
    ],
    ['a map', () => tasks().xsum.map([[1, 2], [3]]), [3, 3]],
    [
      'a starmap followed by a task',
      () =>
        chain(
          tasks().add.starmap([
            [1, 2],
            [3, 4],
          ]),
          tasks().xsum.s(),
        ),
      10,
    ],
  ])('%s', async (_, canvas, expected) => {
    const result = await canvas().applyAsync()
    expect(await (result as { get(options: object): Promise<unknown> }).get(TIMEOUT)).toEqual(expected)
  })

  it('groups, and groups at the end', async () => {
    const { add, mul } = tasks()
    expect(await (await group(add.s(1, 1), mul.s(2, 3)).applyAsync()).get(TIMEOUT)).toEqual([2, 6])
    expect(await (await chain(add.s(1, 1), group(add.s(2), mul.s(3))).applyAsync()).get(TIMEOUT)).toEqual([
      4, 6,
    ])
    expect(
      await (
        await add
          .chunks(
            [
              [1, 1],
              [2, 2],
              [3, 3],
            ],
            2,
          )
          .applyAsync()
      ).get(TIMEOUT),
    ).toEqual([[2, 4], [6]])
    const bodies = await chord(
      [add.s(1, 1), add.s(2, 2)],
      group(tasks().xsum.s(), tasks().xsum.s()),
    ).applyAsync()
    expect(await (bodies as { get(options: object): Promise<unknown> }).get(TIMEOUT)).toEqual([6, 6])
  })

  it('tells of a failure wherever it is, and calls errbacks with its id', async () => {
    const { add, fail, xsum, noteError } = tasks()
    const notes = redisClient(redis.url)
    const last = await chain(add.s(1, 2), fail.si('in the middle'), add.s(1))
      .onError(noteError.s('chain'))
      .applyAsync()
    await expect((last as { get(options: object): Promise<unknown> }).get(TIMEOUT)).rejects.toThrow(
      'in the middle',
    )
    expect(await eventually(() => notes.lpop('chain'))).toBeTypeOf('string')

    const body = await chord([add.s(1, 1), fail.s('in the header')], xsum.s())
      .onError(noteError.s('chord'))
      .applyAsync()
    const getBody = (options: object): Promise<unknown> =>
      (body as { get(options: object): Promise<unknown> }).get({ ...TIMEOUT, ...options })
    await expect(getBody({ followParents: false })).rejects.toMatchObject({ excType: 'ChordError' })
    await expect(getBody({})).rejects.toMatchObject({ excType: 'ValueError' })
    expect(await eventually(() => notes.lpop('chord'))).toBe((body as { id: string }).id)
  })
})
