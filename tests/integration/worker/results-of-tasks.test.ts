import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'
import {
  chain,
  chord,
  group,
  InvalidArgumentError,
  type AnySignature,
  type AsyncResult,
  type Signature,
} from '../../../src/index.js'

describe('results within tasks', () => {
  it('are not waited for unless that is allowed', async () => {
    const app = testApp('memory://')
    const add = app.task('add', (x: number, y: number) => x + y)
    app.task('waits', async () => (await add.delay(1, 2)).get())
    app.task('joins', async () => (await group(add.s(1, 2), add.s(3, 4)).applyAsync()).join())
    app.task('iterates', async () => {
      for await (const meta of app.resultSet([await add.delay(1, 2)])) return meta.result
      return undefined
    })
    app.task('may', async () => {
      const sent = await group(add.s(1, 2), add.s(3, 4)).applyAsync()
      return [
        await sent.join({ allowInTask: true }),
        await (await add.delay(5, 6)).get({ allowInTask: true }),
      ]
    })
    await using worker = await app.startWorker()
    for (const name of ['waits', 'joins', 'iterates']) {
      const refused = (await app.sendTask(name)).get({ timeout: 10_000 })
      await expect(refused).rejects.toMatchObject({ excType: 'GetInsideTaskError' })
    }
    expect(await (await app.sendTask('may')).get({ timeout: 10_000 })).toEqual([[3, 7], 11])
    expect(worker.counts().failed).toBe(3)
    // The process that runs the worker may wait itself.
    expect(await (await add.delay(1, 2)).get({ timeout: 10_000 })).toBe(3)
  })

  it('row 39: are not waited for where the call ignores them', async () => {
    const app = testApp('memory://')
    const add = app.task('add', (x: number, y: number) => x + y)
    expect(await (await add.applyAsync({ args: [1, 2], ignoreResult: true })).get()).toBeNull()
  })
})

describe('what a task starts', () => {
  it('is among its children also where it fails, and while it waits to be retried', async () => {
    const app = testApp('memory://')
    const last = app.task('last', () => 1)
    app.task('fails', async () => {
      await last.delay()
      throw new Error('after the start')
    })
    app.task('retries', { bind: true }, async (task) => {
      await last.delay()
      throw task.retry({ countdown: 3600 })
    })
    await using _ = await app.startWorker()
    for (const [name, state] of [
      ['fails', 'FAILURE'],
      ['retries', 'RETRY'],
    ] as const) {
      const sent = await app.sendTask(name)
      for await (const meta of sent) if (meta.status === state) break
      expect(await sent.state()).toBe(state)
      const [child, ...others] = await sent.children()
      expect(others).toEqual([])
      expect(await (child as AsyncResult).get({ timeout: 20_000 })).toBe(1)
    }
  })

  it('is among its children, and knows its parent and its root', async () => {
    const app = testApp('memory://', { taskInheritParentPriority: true })
    const who = app.task('who', { bind: true }, ({ request }) => [
      request.rootId,
      request.parentId,
      request.deliveryInfo.priority,
    ])
    const last = app.task('last', (given: unknown) => given)
    app.task('middle', { bind: true }, async ({ request }) => {
      const one = await who.delay()
      const two = await chain(who.s(), last.s()).applyAsync()
      const three = await group(who.s(), who.s()).applyAsync()
      await new Promise((resolve) => setTimeout(resolve, 1))
      const named = await app.sendTask('who', [], {}, { rootId: 'elsewhere', priority: 9 })
      return { own: request.id, ids: [one.id, two.parent?.id, three.id, named.id], last: two.id }
    })
    app.task('first', async () => (await app.sendTask('middle', [], {}, { priority: 3 })).id)
    await using _worker = await app.startWorker()

    const first = await app.sendTask('first')
    const middleId = await first.get({ timeout: 10_000 })
    const middle = app.asyncResult<{ own: string; ids: string[]; last: string }>(String(middleId))
    const { own, ids, last: lastId } = await middle.get({ timeout: 10_000 })
    expect((await first.children()).map(({ id }) => id)).toEqual([middleId])
    const children = await middle.children()
    expect(children.map(({ id }) => id)).toEqual(ids)
    const family = [first.id, own, 3]
    const options = { timeout: 10_000 }
    expect(await app.asyncResult(lastId).get(options)).toEqual(family)
    expect(await Promise.all(children.map((child) => child.get(options)))).toEqual([
      family,
      family,
      [family, family],
      ['elsewhere', own, 9],
    ])
    // Outside of a task there is no parent.
    expect(await (await who.delay()).get(options)).toEqual([expect.any(String), null, 0])
  })
})

describe('a chord whose header holds a group', () => {
  it('row 8: fails where results of the group are not there in resultChordJoinTimeout', async () => {
    const app = testApp('memory://', { resultChordJoinTimeout: 0.2 })
    const add = app.task('add', (x: number, y: number) => x + y)
    const silent = app.task('silent', { ignoreResult: true }, (x: number) => x)
    const gather = app.task('gather', (parts: unknown) => parts)
    await using _worker = await app.startWorker()
    const joined = (first: Signature<unknown, number, unknown>): AnySignature =>
      chain(add.si(1, 1), group(first, add.si(3, 4)))
    const whole = await chord([joined(add.si(1, 2)), add.si(5, 6)], gather.s()).applyAsync()
    expect(await whole.get({ timeout: 10_000 })).toEqual([[3, 7], 11])
    const broken = await chord([joined(silent.si(1)), add.si(5, 6)], gather.s()).applyAsync()
    await expect(broken.get({ timeout: 10_000 })).rejects.toMatchObject({
      excType: 'ChordError',
      message: expect.stringMatching(
        /Join error: TimeoutError.*1 of 3 tasks were not ready within 200 ms/,
      ) as string,
    })
  })
})

describe('resultExpires of a task', () => {
  it('row 12: is how long its results are kept, whatever the app says', async () => {
    const { url } = await startRedis()
    const app = testApp(url, { resultExpires: 1000 })
    const redis = redisClient(url)
    app.task('short', { resultExpires: 50 }, () => 1)
    app.task('ever', { resultExpires: null }, () => 1)
    app.task('fails', { resultExpires: 50 }, () => {
      throw new InvalidArgumentError('on purpose')
    })
    app.task('usual', () => 1)
    await using _worker = await app.startWorker()
    const ttlOf = async (name: string): Promise<number> => {
      const result = await app.sendTask(name)
      await result.get({ timeout: 10_000, propagate: false })
      return redis.ttl(`celery-task-meta-${result.id}`)
    }
    expect(await ttlOf('short')).toBeLessThanOrEqual(50)
    expect(await ttlOf('fails')).toBeLessThanOrEqual(50)
    expect(await ttlOf('ever')).toBe(-1)
    expect(await ttlOf('usual')).toBeGreaterThan(900)
    await eventually(async () => (await redis.exists('unacked')) === 0)
  })
})
