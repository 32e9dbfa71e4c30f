import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { testApp } from '../../support/test-app.js'
import { lovage } from './lovage.js'
import type { Celery } from '../../../src/index.js'

let redis: SharedRedis
beforeAll(async () => {
  redis = await redisForTests()
})
afterAll(() => redis.stop())

interface Site {
  readonly app: Celery
  readonly ids: Readonly<Record<string, string>>
  readonly run: (...args: string[]) => ReturnType<typeof lovage>
  readonly answer: (input: string, ...args: string[]) => ReturnType<typeof lovage>
}

/** A service with a dead letter for each of these tasks, the last one the newest. */
async function start(...tasks: string[]): Promise<Site> {
  const globalKeyprefix = `${redis.prefix}${randomUUID()}:`
  const env = { REDIS_URL: redis.url, REDIS_KEY_PREFIX: globalKeyprefix }
  const app = testApp(redis.url, { brokerTransportOptions: { globalKeyprefix } })
  const consumer = app.broker.consumer({ queues: ['celery'], consumerId: 'celery@here:1' })
  await consumer.start()
  atTestEnd(() => consumer.stop())
  const ids: Record<string, string> = {}
  for (const task of tasks) {
    await app.sendTask(task)
    const [first] = (await consumer.claim(1)).deliveries
    if (first === undefined) throw new Error('nothing to claim')
    await consumer.requeue(first)
    const [second] = (await consumer.claim(1)).deliveries
    if (second === undefined) throw new Error('nothing to claim')
    await consumer.bury(second, { code: task.toUpperCase(), message: `no ${task}` })
    ids[task] = (await app.deadLetters.list({ limit: 1 }))[0]?.id ?? ''
  }
  return {
    app,
    ids,
    run: (...args) => lovage(['dead-letters', ...args], { env }),
    answer: (input, ...args) => lovage(['dead-letters', ...args], { env, input }),
  }
}

describe('lovage dead-letters', () => {
  it('row 21: lists them, newest first, as a table and as JSON', async () => {
    const { ids, run } = await start('a', 'b', 'c')
    const [{ code, stdout }, filtered, none] = await Promise.all([
      run('list', '--limit', '2'),
      run('list', '--code', 'A', '--json'),
      run('list', '--task', 'unknown'),
    ])
    expect(code).toBe(0)
    expect(stdout[0]).toMatch(/^ID +DIED AT +CODE +QUEUE +TASK +DELIVERIES$/)
    expect(stdout.slice(1)).toEqual([
      expect.stringMatching(new RegExp(`^${ids['c']}  20\\S+Z +C +celery +c +2$`)),
      expect.stringMatching(new RegExp(`^${ids['b']} .* b +2$`)),
    ])
    expect(JSON.parse(filtered.stdout.join('\n'))).toEqual([
      expect.objectContaining({ id: ids['a'], task: 'a', code: 'A', deliveries: 2, worker: 'celery@here' }),
    ])
    expect(none).toMatchObject({ code: 0, stdout: ['There are no such dead letters.'] })
  })

  it('shows one with its history and its message', async () => {
    const { app, ids, run } = await start('a')
    const letter = await app.deadLetters.get(ids['a'] ?? '')
    const [{ code, stdout }, json, unknown] = await Promise.all([
      run('show', ids['a'] ?? ''),
      run('show', ids['a'] ?? '', '--json'),
      run('show', 'nothing'),
    ])
    expect(code).toBe(0)
    expect(stdout).toEqual([
      `id          ${ids['a']}`,
      'task        a',
      `task id     ${letter?.taskId}`,
      'queue       celery',
      'reason      A: no a',
      `died at     ${letter?.diedAt.toISOString()}, set aside by celery@here`,
      'deliveries  2',
      `lost        ${letter?.history[0]?.at.toISOString()} REQUEUED celery@here`,
      `message     ${letter?.envelope}`,
    ])
    expect(JSON.parse(json.stdout.join('\n'))).toEqual(JSON.parse(JSON.stringify(letter)))
    expect(unknown).toMatchObject({ code: 1, output: ['error: there is no dead letter nothing'] })
  })

  it('row 21: sends one or many to their queues again', async () => {
    const { app, ids, run } = await start('a', 'b', 'c')
    expect(await run('retry', ids['a'] ?? '')).toMatchObject({ code: 0, stdout: ['Retried 1 dead letter.'] })
    expect(await app.broker.queueLength('celery')).toBe(1)
    const again = await run('retry', ids['a'] ?? '')
    expect(again.code).toBe(1)
    expect(again.output.join('\n')).toContain('1 of the named dead letters is not there')
    const all = await run('retry', '--queue', 'celery', '--json')
    expect(JSON.parse(all.stdout.join('\n'))).toEqual({ retried: 2 })
    expect(await app.broker.queueLength('celery')).toBe(3)
    expect(await app.deadLetters.count()).toBe(0)
  })

  it('drops one or many, once it is told to', async () => {
    const { app, ids, run, answer } = await start('a', 'b', 'c')
    const [refused, old] = await Promise.all([
      answer('n\n', 'purge', '--all'),
      run('purge', '-f', '--older-than', '1h'),
    ])
    expect(refused.code).toBe(1)
    expect(refused.output.join('\n')).toContain('nothing was purged')
    expect(old).toMatchObject({ stdout: ['Purged 0 dead letters.'] })
    expect(await run('purge', '-f', ids['a'] ?? '', ids['b'] ?? '')).toMatchObject({ code: 0 })
    expect((await app.deadLetters.list()).map(({ task }) => task)).toEqual(['c'])
    const agreed = await answer('y\n', 'purge', '--all')
    expect(agreed.output.join('\n')).toContain('Purged 1 dead letter.')
    expect(await app.deadLetters.count()).toBe(0)
  })

  it('lets no message steer the terminal', async () => {
    const { app, run } = await start()
    const escape = '\u001b[31m\u009bred'
    await app.broker.publish({ queue: 'celery', priority: 0, envelope: escape })
    const consumer = app.broker.consumer({ queues: ['celery'], consumerId: randomUUID() })
    const { unreadable } = await consumer.claim(1)
    const shown = await run('show', unreadable[0]?.deadLetterId ?? '')
    expect(shown.output.join('\n')).toContain('message     \\u001b[31m\\u009bred')
    expect(shown.output.join('')).not.toMatch(/[\p{Cc}]/u)
  })

  // How each is refused: tests/unit/cli.
  it('refuses with 2 to purge all of them by accident', async () => {
    const { code, output } = await lovage(['dead-letters', 'purge', '-f'])
    expect(output.join('\n')).toMatch(/expected either ids, or --queue/)
    expect(code).toBe(2)
  })
})
