import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Redis } from 'ioredis'
import { PublishError, TaskError, type AppOptions, type Celery } from '../../../src/index.js'
import { makeCertificates, tlsServerArgs } from '../../support/certificates.js'
import { eventually } from '../../support/eventually.js'
import { freePort } from '../../support/free-port.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { rawMessage } from '../../support/raw-message.js'
import { startProxy } from '../../support/tcp-proxy.js'
import { testApp } from '../../support/test-app.js'

const WITHIN_MS = 10_000
const HOUR_MS = 3_600_000

interface Site {
  readonly app: Celery
  readonly redis: Redis
  readonly url: string
}

async function startSite(settings: AppOptions = {}): Promise<Site> {
  const { url } = await startRedis()
  return { app: testApp(url, settings), redis: redisClient(url), url }
}

interface Message {
  readonly properties: { readonly delivery_tag: string }
}

// Every fault that was measured or read in the other Celery clients for Node.js, by the name it has in
// docs/compatibility.md; the last test holds both lists against each other.
describe('faults of celery-node', () => {
  it('a message with an ETA runs at once', async () => {
    const { app, redis } = await startSite()
    const ran: string[] = []
    app.task('t', (name: string) => void ran.push(name))
    await app.sendTask('t', ['later'], {}, { eta: new Date(Date.now() + HOUR_MS) })
    const soon = new Date(Date.now() + 300)
    const result = await app.sendTask('t', ['soon'], {}, { eta: soon })
    await using _ = await app.startWorker()

    await result.get({ timeout: WITHIN_MS })
    expect(Date.now()).toBeGreaterThanOrEqual(soon.getTime())
    expect(ran).toEqual(['soon'])
    await eventually(async () => (await redis.hlen('unacked')) === 1)
  })

  it('an expired message runs', async () => {
    const { app } = await startSite()
    let runs = 0
    app.task('t', () => void runs++)
    await using _ = await app.startWorker()
    const result = await app.sendTask('t', [], {}, { expires: new Date(Date.now() - HOUR_MS) })

    await expect(result.get({ timeout: WITHIN_MS })).rejects.toMatchObject({ excType: 'TaskRevokedError' })
    expect(await result.state()).toBe('REVOKED')
    expect(runs).toBe(0)
  })

  it('concurrency has no bound', async () => {
    const { app } = await startSite()
    let active = 0
    let most = 0
    app.task('t', async () => {
      most = Math.max(most, ++active)
      await sleep(5)
      active--
    })
    const results = await Promise.all(Array.from({ length: 50 }, () => app.sendTask('t')))
    await using _ = await app.startWorker({ concurrency: 4 })
    await Promise.all(results.map((result) => result.get({ timeout: WITHIN_MS })))
    expect(most).toBe(4)
  })

  it('messages in a priority list are never read', async () => {
    const { app } = await startSite()
    app.task('t', (priority: number) => priority)
    await using _ = await app.startWorker()
    for (const priority of [3, 6, 9]) {
      const result = await app.sendTask('t', [priority], {}, { priority })
      expect(await result.get({ timeout: WITHIN_MS })).toBe(priority)
    }
  })

  it('one unknown task name ends the loop', async () => {
    const { app } = await startSite()
    app.task('t', () => 'alive')
    await using _ = await app.startWorker()
    await app.sendTask('nobody.knows')
    expect(await (await app.sendTask('t')).get({ timeout: WITHIN_MS })).toBe('alive')
  })

  it('a body that is no JSON ends the loop', async () => {
    const { app, redis } = await startSite()
    app.task('t', () => 'alive')
    await using _ = await app.startWorker()
    await redis.lpush('celery', rawMessage('t', [], () => ({ body: 'bm8gSlNPTg==' })).envelope, 'no JSON')
    expect(await (await app.sendTask('t')).get({ timeout: WITHIN_MS })).toBe('alive')
    await eventually(async () => (await app.broker.deadLetters.count()) === 2)
  })

  it('a failure is stored as a null result with an empty traceback', async () => {
    const { app, redis } = await startSite()
    app.task('bad', () => {
      throw new RangeError('too far')
    })
    app.task('good', () => 1)
    await using _ = await app.startWorker()
    const bad = await app.sendTask('bad')
    await expect(bad.get({ timeout: WITHIN_MS })).rejects.toThrow('too far')
    const good = await app.sendTask('good')
    await good.get({ timeout: WITHIN_MS })

    const stored = async (id: string): Promise<unknown> =>
      JSON.parse((await redis.get(`celery-task-meta-${id}`)) ?? '') as unknown
    expect(await stored(bad.id)).toMatchObject({
      status: 'FAILURE',
      result: { exc_type: 'RangeError', exc_message: ['too far'] },
      traceback: expect.stringMatching(/^Traceback \(most recent call last\):\n/) as string,
    })
    expect(await stored(good.id)).toMatchObject({ status: 'SUCCESS', result: 1, traceback: null })
  })

  it('nothing records what runs, so that a crash loses it', async () => {
    const { app, redis } = await startSite()
    const gate = new AbortController()
    app.task('t', async () => {
      if (!gate.signal.aborted) await once(gate.signal, 'abort')
    })
    await using worker = await app.startWorker()
    const result = await app.sendTask('t')
    await eventually(() => worker.counts().active === 1)

    expect(await redis.llen('celery')).toBe(0)
    const [record = ''] = await redis.hvals('unacked')
    expect(JSON.parse(record)).toMatchObject([{ headers: { id: result.id } }, '', 'celery'])
    expect(await redis.zcard('unacked_index')).toBe(1)
    gate.abort()
    await result.get({ timeout: WITHIN_MS })
    await eventually(async () => (await redis.exists('unacked', 'unacked_index')) === 0)
  })

  it('the loop ends when retries to reach Redis are used up', async () => {
    const server = await startRedis()
    const proxy = await startProxy({ port: server.port })
    const app = testApp(`redis://127.0.0.1:${proxy.port}/0`)
    app.task('t', () => 'alive')
    await using _ = await app.startWorker()
    const producer = testApp(server.url)
    proxy.refuse()
    const result = await producer.sendTask('t')
    // Long enough for the attempts of a client that gives up, were they as quick as ours are in the beginning.
    await sleep(3000)
    expect(await result.state()).toBe('PENDING')
    proxy.resume()
    expect(await result.get({ timeout: WITHIN_MS })).toBe('alive')
  })
})

describe('faults of celery-ts and node-celery-ts', () => {
  it('every message carries the same delivery tag', async () => {
    const { app, redis } = await startSite()
    for (let i = 0; i < 10; i++) await app.sendTask('t')
    const tags = (await redis.lrange('celery', 0, -1)).map(
      (text) => (JSON.parse(text) as Message).properties.delivery_tag,
    )
    expect(new Set(tags).size).toBe(10)
    for (const tag of tags)
      expect(tag).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  })

  it('messages of one delivery tag overwrite each other where they are held', async () => {
    const { app, redis } = await startSite()
    const gate = new AbortController()
    app.task('t', async () => {
      if (!gate.signal.aborted) await once(gate.signal, 'abort')
    })
    await using worker = await app.startWorker()
    const messages = [1, 2, 3, 4].map(() =>
      rawMessage('t', [], (good) => ({ properties: { ...good.properties, delivery_tag: 'celery' } })),
    )
    await redis.lpush('celery', ...messages.map(({ envelope }) => envelope))
    await eventually(() => worker.counts().active === 4)
    expect(await redis.hlen('unacked')).toBe(4)
    gate.abort()
    for (const { id } of messages) await app.asyncResult(id).get({ timeout: WITHIN_MS })
  })

  it('a priority is pushed to the base list', async () => {
    const { app, redis } = await startSite()
    await app.sendTask('t', [], {}, { priority: 9 })
    expect(await redis.llen('celery')).toBe(0)
    expect(await redis.llen('celery\x06\x169')).toBe(1)
  })

  it('rediss:// throws', async () => {
    const certificates = await makeCertificates()
    const port = await freePort()
    await startRedis({ args: [...tlsServerArgs(certificates, port), '--tls-auth-clients', 'no'] })
    const query = `ssl_cert_reqs=required&ssl_ca_certs=${certificates.ca}`
    const app = testApp(`rediss://localhost:${port}/0?${query}`)
    app.task('t', () => 'encrypted')
    await using _ = await app.startWorker()
    expect(await (await app.sendTask('t')).get({ timeout: WITHIN_MS })).toBe('encrypted')
  })

  it('a failure that arrives while one waits resolves instead of rejecting', async () => {
    const { app } = await startSite()
    const gate = new AbortController()
    app.task('t', async () => {
      if (!gate.signal.aborted) await once(gate.signal, 'abort')
      throw new RangeError('too far')
    })
    await using worker = await app.startWorker()
    const waiting = (await app.sendTask('t')).get({ timeout: WITHIN_MS })
    await eventually(() => worker.counts().active === 1)
    gate.abort()
    await expect(waiting).rejects.toBeInstanceOf(TaskError)
  })

  it('a failure that was stored before one asks is never returned', async () => {
    const { app, url } = await startSite()
    app.task('t', () => {
      throw new RangeError('too far')
    })
    await using _ = await app.startWorker()
    const { id } = await app.sendTask('t')
    await eventually(async () => (await app.asyncResult(id).state()) === 'FAILURE')
    await expect(testApp(url).asyncResult(id).get({ timeout: WITHIN_MS })).rejects.toBeInstanceOf(TaskError)
  })

  it('a call that ignores its result ends in an unhandled rejection', async () => {
    const { app, redis } = await startSite()
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    app.task('t', () => 1)
    app.task('bad', () => {
      throw new Error('nobody asks')
    })
    await using worker = await app.startWorker()
    await app.sendTask('t', [], {}, { ignoreResult: true })
    await app.sendTask('bad', [], {}, { ignoreResult: true })
    await eventually(() => worker.counts().succeeded + worker.counts().failed === 2)
    await eventually(async () => (await redis.exists('unacked')) === 0)
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
    expect(await redis.keys('celery-task-meta-*')).toEqual([])
  })

  it('a result whose id is no UUID throws in every client', async () => {
    const { app, redis } = await startSite()
    const gate = new AbortController()
    app.task('t', async (name: string) => {
      if (!gate.signal.aborted) await once(gate.signal, 'abort')
      return name
    })
    await using worker = await app.startWorker()
    const ids = ['order 17', 'żółw', 'a:b/c*?']
    const waiting = ids.map(async (taskId) =>
      (await app.sendTask('t', [taskId], {}, { taskId })).get({ timeout: WITHIN_MS }),
    )
    await eventually(() => worker.counts().active === 3)
    await redis.publish('celery-task-meta-not one of ours', 'not even JSON')
    gate.abort()
    expect(await Promise.all(waiting)).toEqual(ids)
  })

  it('publishing is not awaited, so that nobody learns of its failure', async () => {
    const app = testApp(`redis://127.0.0.1:${await freePort()}/0`, { publishTimeoutMs: 200 })
    await expect(app.sendTask('t')).rejects.toBeInstanceOf(PublishError)
  })
})

describe('docs/compatibility.md', () => {
  const root = path.resolve(import.meta.dirname, '../../..')
  const document = readFileSync(path.join(root, 'docs/compatibility.md'), 'utf8')

  /** The cells of the table below a heading, without its head. */
  const table = (heading: string): string[][] =>
    (document.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .slice(2)
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )

  it('row 46: names a regression test for every fault, and a fault for every test', () => {
    const source =
      readFileSync(import.meta.filename, 'utf8').split("describe('docs/compatibility.md'")[0] ?? ''
    const tested = [...source.matchAll(/^ {2}it\('(.*)', async/gm)].map((match) => match[1])
    const listed = table('Faults of other clients').map(([, fault]) => fault)
    expect(listed.length).toBeGreaterThanOrEqual(17)
    expect(listed.toSorted()).toEqual(tested.toSorted())
  })

  it('row 46: names tests that are there for all that is said to work', () => {
    const features = table('What works together')
    expect(features.length).toBeGreaterThan(10)
    for (const [feature, , , tests = ''] of features) {
      const files = [...tests.matchAll(/\(\.\.\/(tests\/[^)]+)\)/g)].map((match) => match[1] ?? '')
      expect(files.length, feature).toBeGreaterThan(0)
      for (const file of files) expect(() => readFileSync(path.join(root, file)), feature).not.toThrow()
    }
  })
})
