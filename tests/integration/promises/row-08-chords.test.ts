import { describe, expect, it, vi } from 'vitest'
import { chain, chord, type Celery, type Signature, type TaskError } from '../../../src/index.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

const WAIT = { timeout: 20_000 }

interface World {
  readonly app: Celery
  /** A part with each fate, by its name. */
  readonly fates: Readonly<Record<string, () => Signature<unknown>>>
  readonly total: (name?: string) => Signature<unknown>
  /** What ran: bodies with what they got, errbacks with the id they got. */
  readonly seen: unknown[]
}

async function world(): Promise<World> {
  const { url } = await startRedis()
  const app = testApp(url, { resultMaxBytes: 10_000 })
  const seen: unknown[] = []
  const task = (name: string, fn: (...args: unknown[]) => unknown): void => void app.task(name, fn)
  task('one', () => 1)
  task('fail', () => {
    throw new RangeError('no')
  })
  task('hang', () => new Promise(() => undefined))
  task('unwritable', () => () => 1)
  task('large', () => 'x'.repeat(20_000))
  app.task('reject', { bind: true }, (context) => {
    throw context.reject('not mine')
  })
  app.task('flaky', { bind: true }, (context) => {
    if (context.request.retries < 2) throw context.retry({ countdown: 0 })
    return 1
  })
  app.task('give-up', { bind: true }, (context) => {
    throw context.retry({ maxRetries: 0, cause: new RangeError('no more') })
  })
  task('total', (numbers) => {
    seen.push(['body', numbers])
    return numbers
  })
  task('note', (id) => void seen.push(['errback', id]))
  const fates: World['fates'] = {
    'raises an error': () => app.signature('fail'),
    'is over its time limit': () => app.signature('hang', { options: { timeLimit: 0.2 } }),
    'has expired': () => app.signature('one', { options: { expires: new Date(Date.now() - 1000) } }),
    'is not known': () => app.signature('nobody-has-this'),
    'is rejected': () => app.signature('reject'),
    'is retried too often': () => app.signature('give-up'),
    'returns what cannot be written': () => app.signature('unwritable'),
    'returns too much': () => app.signature('large'),
  }
  const total = (name = 'total'): Signature<unknown> => app.signature(name)
  return { app, fates, total, seen }
}

const BAD_FATES = [
  'raises an error',
  'is over its time limit',
  'has expired',
  'is not known',
  'is rejected',
  'is retried too often',
  'returns what cannot be written',
  'returns too much',
]

describe('row 8: a chord ends', () => {
  it.each(BAD_FATES)('row 8: by its errback, once, where a part %s', async (fate) => {
    const { app, fates, total, seen } = await world()
    await using _ = await app.startWorker()
    const part = fates[fate]?.() ?? app.signature('fail')
    const one = app.signature('one', { immutable: true })
    const headers: Signature<unknown>[][] = [
      [one, part, one],
      // As the first step of a chain, whose last step is the part.
      [one, chain(part, one), one],
      // And as a part of a chord inside.
      [one, chord([part, one], one)],
    ]
    for (const header of headers) {
      seen.length = 0
      const body = await chord(header, total().onError(app.signature('note'))).applyAsync()
      const sent = app.asyncResult((body as { id: string }).id)
      const error = (await sent.get(WAIT).catch((thrown: unknown) => thrown)) as TaskError
      expect(error.excType).toBe('ChordError')
      expect(error.excMessage[0]).toMatch(/^Dependency [-0-9a-f]{36} raised \w+\(/)
      await vi.waitFor(() => expect(seen).toEqual([['errback', sent.id]]), WAIT)
    }
  })

  it('row 8: by its body, once, where its parts succeed, some after retries, and others ignore their results', async () => {
    const { app, total, seen } = await world()
    await using _ = await app.startWorker()
    const one = app.signature('one', { options: { ignoreResult: true } })
    const body = await chord(
      [app.signature('flaky'), one, chain(one, app.signature('one', { immutable: true }))],
      total(),
    ).applyAsync()
    expect(await app.asyncResult((body as { id: string }).id).get(WAIT)).toEqual([1, 1, 1])
    expect(seen).toEqual([['body', [1, 1, 1]]])
  })

  it('row 8: with a failure of its body where nobody knows that', async () => {
    const { app, total } = await world()
    await using _ = await app.startWorker()
    const body = await chord([app.signature('one')], total('nobody-has-this')).applyAsync()
    await expect(app.asyncResult((body as { id: string }).id).get(WAIT)).rejects.toMatchObject({
      excType: 'NotRegistered',
    })
  })
})
