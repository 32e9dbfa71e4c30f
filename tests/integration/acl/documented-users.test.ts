import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { buildServer } from '../../../src/api/build-server.js'
import { Celery, every, type AppOptions } from '../../../src/index.js'
import { aclRules, aclUserLines } from '../../../src/doctor/acl-rules.js'
import { examine } from '../../../src/doctor/examine.js'
import { patternsOf } from '../../../src/doctor/places.js'
import { ROLES, type Role } from '../../../src/doctor/needs.js'
import { startBeat } from '../../../src/beat/start-beat.js'
import { codeBlocks } from '../../support/code-blocks.js'
import { eventually } from '../../support/eventually.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import type { Redis } from 'ioredis'

const PREFIX = 'shop:'
const documented = codeBlocks('docs/acl.md').filter(({ language }) => language === 'acl')

interface Shop {
  /** Whoever made the users. */
  readonly admin: Redis
  /** An app that logs in as the user of a role; closed when the test ends. */
  appOf(role: Role, settings?: AppOptions): Celery
}

/** A server that has the documented users, and lacks the commands that nobody needs. */
async function openShop(): Promise<Shop> {
  const renamed = ['CONFIG', 'KEYS', 'FLUSHDB', 'FLUSHALL'].flatMap((name) => ['--rename-command', name, ''])
  const { url, port } = await startRedis({ args: renamed })
  const admin = redisClient(url)
  for (const { code } of documented) {
    const [command = '', ...words] = code.trim().split(/\s+/)
    await admin.call(command, ...words)
  }
  return {
    admin,
    appOf(role, settings = {}) {
      const login = `redis://shop-${role}:secret@127.0.0.1:${port}/0`
      const app = new Celery('shop', {
        broker: login,
        backend: login,
        brokerTransportOptions: { globalKeyprefix: PREFIX },
        resultBackendTransportOptions: { globalKeyprefix: PREFIX },
        ...settings,
      })
      onTestFinished(() => app.close())
      return app
    },
  }
}

/** What was refused to whom. */
async function refusals({ admin }: Shop): Promise<string[]> {
  const entries = (await admin.call('ACL', 'LOG')) as unknown[][]
  return entries.map((entry) => {
    const at = (name: string): string => String(entry[entry.indexOf(name) + 1])
    return `${at('username')}: ${at('reason')} ${at('object')} (${at('context')})`
  })
}

describe('row 38: the users of docs/acl.md', () => {
  it('are one for each role, made of the same rules that the doctor asks for', () => {
    const settings = new Celery('shop', {
      brokerTransportOptions: { globalKeyprefix: PREFIX },
      resultBackendTransportOptions: { globalKeyprefix: PREFIX },
    }).settings
    const at = patternsOf(settings, ['celery'])
    expect(documented.map(({ code }) => code.trim())).toEqual(
      ROLES.map((role) => {
        const rules = aclRules(role, ['broker', 'results'], at, { db: 0, isCluster: false })
        return aclUserLines(`shop-${role}`, rules, 'secret').join('\n')
      }),
    )
  })

  it('are enough to send, work, schedule and serve, each with its own', async () => {
    const shop = await openShop()
    const working = shop.appOf('worker', { workerLease: 1 })
    working.task('shop.add', (x: number, y: number) => x + y)
    working.task('shop.tick', () => 'ticked')
    const more = working.task('shop.more', () => 'more')
    working.task('shop.delegate', async () =>
      (await more.delay()).get({ timeout: 10_000, allowInTask: true }),
    )
    let attempts = 0
    working.task('shop.moody', { bind: true }, (task) => {
      attempts += 1
      if (attempts === 1) throw task.retry({ countdown: 0.1 })
      return attempts
    })
    await using worker = await working.startWorker()

    const producing = shop.appOf('producer')
    const run = async (name: string, args: unknown[] = [], options = {}): Promise<unknown> =>
      (await producing.sendTask(name, args, {}, options)).get({ timeout: 10_000 })
    expect(await run('shop.add', [40, 2])).toBe(42)
    expect(await run('shop.add', [1, 1], { priority: 9 })).toBe(2)
    expect(await run('shop.add', [2, 2], { countdown: 0.3 })).toBe(4)
    expect(await run('shop.delegate')).toBe('more')
    expect(await run('shop.moody')).toBe(2)
    const unknown = await producing.sendTask('shop.unknown')
    await expect(unknown.get({ timeout: 10_000 })).rejects.toThrow('shop.unknown')
    await shop.admin.lpush(`${PREFIX}celery`, 'garbage')
    await eventually(async () => (await shop.admin.zcard(`${PREFIX}lovage.dead`)) === 2)
    await unknown.forget()

    const scheduling = shop.appOf('beat')
    const tick = scheduling.task('shop.tick', () => 'ticked')
    scheduling.addPeriodicTask(every(1), tick.s(), { name: 'often' })
    const beat = await startBeat(scheduling)
    const before = worker.counts().succeeded
    await vi.waitFor(() => expect(worker.counts().succeeded).toBeGreaterThan(before), 15_000)
    await beat.stop()

    const api = await buildServer({
      app: shop.appOf('api'),
      artifactDir: '/nowhere',
      allowedTasks: ['shop.*'],
    })
    onTestFinished(() => api.close())
    const sent = await api.inject({
      method: 'POST',
      url: '/api/tasks/shop.add',
      payload: { args: [20, 1], countdown: 0.5 },
    })
    expect(sent.statusCode).toBe(202)
    const { task_id: id } = sent.json<{ task_id: string }>()
    const answer = await api.inject({ url: `/api/tasks/${id}?wait=10` })
    expect(answer.json()).toMatchObject({ state: 'SUCCESS', result: 21 })
    expect((await api.inject({ url: '/readiness' })).statusCode).toBe(200)
    expect((await api.inject({ url: '/metrics' })).body).toMatch(/^lovage_scrape_errors 0$/m)

    const operating = shop.appOf('operator')
    const { deadLetters } = operating.broker
    expect(await deadLetters.count()).toBe(2)
    const [newest] = await deadLetters.list({ limit: 1 })
    expect(await deadLetters.get(newest?.id ?? '')).toEqual(newest)
    await worker.stop()
    expect(await deadLetters.retry({ code: 'NOT_REGISTERED' })).toBe(1)
    expect(await operating.broker.queueLength('celery')).toBeGreaterThan(0)
    expect(await operating.broker.purge('celery')).toBeGreaterThan(0)
    expect(await deadLetters.purge({ code: 'UNREADABLE' })).toBe(1)
    expect(await deadLetters.purge('all')).toBe(0)
    const { examined } = await examine(operating.settings, { queues: ['celery'], role: 'operator' })
    const unseen = examined[0]?.findings.filter(({ status }) => status === 'unseen')
    expect(unseen).toEqual([])

    expect(await refusals(shop)).toEqual([])
  })

  it('are enough to put back what dead workers held, of this runtime and of Python', async () => {
    const shop = await openShop()
    const dying = shop.appOf('worker', { workerLease: 1 })
    await shop.appOf('producer').sendTask('shop.count', ['of a dead worker'])
    const consumer = dying.broker.consumer({ queues: ['celery'], consumerId: 'dying' })
    await consumer.start()
    expect((await consumer.claim(1)).deliveries).toHaveLength(1)
    await dying.broker.close()

    // A Python worker has no lease: what it held is late by its score alone.
    await shop.appOf('producer').sendTask('shop.count', ['of Python'])
    const envelope = String(await shop.admin.rpop(`${PREFIX}celery`))
    await shop.admin.hset(`${PREFIX}unacked`, 'tag', `[${envelope}, "", "celery"]`)
    await shop.admin.zadd(`${PREFIX}unacked_index`, Date.now() / 1000 - 7200, 'tag')

    const living = shop.appOf('worker', { workerLease: 1 })
    const seen: string[] = []
    living.task('shop.count', (what: string) => void seen.push(what))
    await using worker = await living.startWorker()
    await vi.waitFor(() => expect(seen.toSorted()).toEqual(['of Python', 'of a dead worker']), 15_000)
    await worker.stop()
    expect(await refusals(shop)).toEqual([])
  })

  it.each(ROLES)('are all that the doctor wants of a %s, and of no other', async (role) => {
    const shop = await openShop()
    const { settings } = shop.appOf(role)
    const permissionsOf = async (asked: Role): Promise<string | undefined> => {
      const { examined } = await examine(settings, { queues: ['celery'], role: asked })
      return examined[0]?.findings.find(({ name }) => name === 'permissions')?.status
    }
    expect(await permissionsOf(role)).toBe('ok')
    // All may send, all but beat may await, and a worker or an operator sees what the API shows.
    const seesAll = role === 'operator' || role === 'worker'
    const also: readonly Role[] = seesAll ? ['producer', 'api'] : ['producer']
    for (const other of ROLES) {
      if (other !== role && !also.includes(other)) expect(await permissionsOf(other), other).toBe('fault')
    }
  })

  it('may do nothing else', async () => {
    const shop = await openShop()
    for (const role of ROLES) {
      const client = redisClient(shop.appOf(role).settings.broker)
      for (const call of [
        ['KEYS', '*'],
        ['CONFIG', 'GET', '*'],
        ['FLUSHALL'],
        ['FLUSHDB'],
        ['MONITOR'],
        ['ACL', 'LIST'],
      ]) {
        const [command = '', ...args] = call
        await expect(client.call(command, ...args), `${role}: ${command}`).rejects.toThrow(
          /NOPERM|unknown command/,
        )
      }
      await expect(client.lpush('celery', 'of another app')).rejects.toThrow('NOPERM')
      await expect(client.get('celery-task-meta-1')).rejects.toThrow('NOPERM')
    }
  })
})
