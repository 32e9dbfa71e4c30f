import { existsSync } from 'node:fs'
import { copyFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisBinary } from '../../support/redis-server.js'
import { redisForTests } from '../../support/redis.js'
import { processesIn, startService } from './process-tree.js'
import { freePort } from '../../support/free-port.js'
import { startProcess } from '../../support/start-process.js'
import { tempDir } from '../../support/temp-dir.js'

/** Have `demo.add` run, and say what came of it. */
async function add(url: string, id?: string): Promise<unknown> {
  const sent = await fetch(`${url}/api/tasks/demo.add`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ args: [40, 2], task_id: id }),
  })
  const { status_url: status } = (await sent.json()) as { status_url: string }
  const answer = await fetch(`${url}${status}?wait=20`)
  return ((await answer.json()) as { result: unknown }).result
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const redisServer = redisBinary()
/** The last line of its introduction. */
const STARTED = /Ctrl-C stops everything/
const PARTS = ['beat.js', 'private-redis.js', 'redis-server', 'server.js', 'start.js', 'worker.js']

describe('npm start with redis-server on the PATH', () => {
  it('runs API, worker and beat on a private Redis, and stops all of them', async () => {
    const { process, url, directory, running } = await startService({ program: 'start', redisServer })
    await process.waitForLine(STARTED)
    expect(process.output()).toContain(`API     ${url} `)
    expect(process.output()).toMatch(/broker +redis:\/\/127\.0\.0\.1:\d+\/0/)
    expect(process.output()).toMatch(/try +curl .*\/api\/tasks\/demo\.add/)
    expect(await add(url)).toBe(42)
    expect([...running().keys()].sort()).toEqual(PARTS)
    // Beat may still be loading when everything else has done its work.
    await process.waitForLine(/^beat +\| /)

    expect(await process.stop(20_000)).toEqual({ code: 0, signal: null })

    expect([...running().keys()]).toEqual([])
    expect(existsSync(path.join(directory, '.lovage/redis/appendonlydir'))).toBe(true)
    await process.drained
    for (const name of ['server', 'worker', 'beat'])
      expect(process.output()).toMatch(new RegExp(`^${name} +\\| `, 'm'))
  })

  it('keeps what is in Redis for the next time', async () => {
    const first = await startService({ program: 'start', redisServer })
    await first.process.waitForLine(STARTED)
    await add(first.url, 'kept')
    expect(await first.process.stop(20_000)).toMatchObject({ code: 0 })

    const second = await startService({ program: 'start', redisServer, directory: first.directory })
    await second.process.waitForLine(STARTED)
    const answer = await fetch(`${second.url}/api/tasks/kept`)
    expect(await answer.json()).toMatchObject({ state: 'SUCCESS', result: 42 })
    await second.process.stop(20_000)
  })

  it('stops the others, with exit code 1, when one of them dies', async () => {
    const { process, running } = await startService({ program: 'start', redisServer })
    await process.waitForLine(STARTED)
    globalThis.process.kill(running().get('worker.js') ?? -1, 'SIGKILL')
    expect(await process.exit).toEqual({ code: 1, signal: null })
    await process.drained
    expect(process.output()).toContain('worker has ended (SIGKILL); stopping the others')
    expect([...running().keys()]).toEqual([])
  })

  it('leaves nothing behind when it is killed itself', async () => {
    const { process, running } = await startService({ program: 'start', redisServer })
    await process.waitForLine(STARTED)
    globalThis.process.kill(process.pid, 'SIGKILL')
    await process.exit
    await eventually(() => running().size === 0, { timeoutMs: 20_000 })
  })

  it('leaves no Redis behind when its keeper is killed', async () => {
    const { process, running } = await startService({ program: 'start', redisServer })
    await process.waitForLine(STARTED)
    globalThis.process.kill(running().get('private-redis.js') ?? -1, 'SIGKILL')
    expect(await process.exit).toEqual({ code: 1, signal: null })
    await eventually(() => running().size === 0)
  })

  it('does not start a second Redis on the same data', async () => {
    const first = await startService({ program: 'start', redisServer })
    await first.process.waitForLine(STARTED)
    const second = await startService({ program: 'start', redisServer, directory: first.directory })
    expect(await second.process.exit).toEqual({ code: 1, signal: null })
    await second.process.drained
    expect(second.process.output()).toContain('is another `npm start` running in this folder?')
    expect(await add(first.url)).toBe(42)
    await first.process.stop(20_000)
  })
})

describe('npm start with a broker that is named', () => {
  it('uses it, here from .env, and starts no Redis', async () => {
    await using redis = await redisForTests()
    const directory = await tempDir()
    const lines = [`CELERY_BROKER_URL=${redis.url}`, `REDIS_KEY_PREFIX=${redis.prefix}`]
    await writeFile(path.join(directory, '.env'), lines.join('\n'))

    const { process, url, running } = await startService({ program: 'start', redisServer, directory })
    await process.waitForLine(STARTED)
    expect(process.output()).toContain(redis.url)
    expect(await add(url)).toBe(42)
    expect([...running().keys()].sort()).toEqual(['beat.js', 'server.js', 'start.js', 'worker.js'])
    expect(await process.stop(20_000)).toEqual({ code: 0, signal: null })
    expect(existsSync(path.join(directory, '.lovage/redis'))).toBe(false)
  })
})

describe('npm start, by npm itself', () => {
  it('is passed what asks npm to end, and leaves nothing behind', async () => {
    const directory = await tempDir()
    await copyFile(path.join(ROOT, 'package.json'), path.join(directory, 'package.json'))
    await symlink(path.join(ROOT, 'dist'), path.join(directory, 'dist'))
    // What is built has not to be built again.
    const npm = startProcess('npm', ['start', '--ignore-scripts'], {
      cwd: directory,
      env: {
        CELERY_BROKER_URL: 'memory://',
        PORT: String(await freePort()),
        NPM_CONFIG_UPDATE_NOTIFIER: 'false',
      },
    })
    await npm.waitForLine(STARTED)
    expect(await npm.stop()).toEqual({ code: 0, signal: null })
    expect([...processesIn(directory).keys()]).toEqual([])
  })
})

describe('npm start without Redis', () => {
  it('runs everything in memory in one process, and says so in one line', async () => {
    const { process, url, running } = await startService({ program: 'start' })
    await process.waitForLine(STARTED)
    const lines = process
      .output()
      .split('\n')
      .filter((line) => line.includes('in memory'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/apt install redis-server.*brew install redis.*CELERY_BROKER_URL/)
    expect(await add(url)).toBe(42)
    expect([...running().keys()]).toEqual(['start.js'])

    expect(await process.stop(20_000)).toEqual({ code: 0, signal: null })
    expect([...running().keys()]).toEqual([])
  })
})
