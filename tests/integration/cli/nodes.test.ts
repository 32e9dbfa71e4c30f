import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appModule, lovage, startLovage } from './lovage.js'
import { startRedis, type RedisServer } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

let server: RedisServer
let url: string

beforeAll(async () => {
  server = await startRedis()
  url = server.url
})
afterAll(() => server.stop())

function flags(at = url): string[] {
  return ['-A', appModule('shop.js'), '-b', at, '--result-backend', at]
}

describe('lovage inspect, control and status', () => {
  it('ends with 69 where no node has replied, and says so as Celery does', async () => {
    const { url: empty } = await startRedis()
    for (const words of [['status'], ['inspect', 'ping'], ['control', 'enable_events']]) {
      const { code, output } = await lovage([...flags(empty), ...words, '-t', '0.2'])
      expect(output.join('\n')).toContain('No nodes replied within time constraint')
      expect(code).toBe(69)
    }
  })

  it('shows what workers reply, as tables or as JSON', async () => {
    const app = testApp(url)
    app.task('shop.wait', { bind: true }, async (task) => {
      await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
    })
    await using worker = await app.startWorker({ hostname: 'shop@here', queues: ['celery', 'more'] })
    expect(await lovage([...flags(), 'status'])).toMatchObject({
      code: 0,
      stdout: ['->  shop@here: OK', '', '1 node online.'],
    })
    expect((await lovage([...flags(), 'inspect', 'ping'])).stdout).toEqual([
      '->  shop@here: OK',
      '    pong',
      '',
      '1 node online.',
    ])
    expect((await lovage([...flags(), '-q', 'inspect', 'active'])).stdout).toEqual([
      '->  shop@here: OK',
      '    - empty -',
    ])
    expect((await lovage([...flags(), 'inspect', 'active_queues'])).stdout.slice(1)).toEqual([
      '    QUEUE   EXCHANGE  ROUTING KEY',
      '    celery  celery    celery',
      '    more    more      more',
      '',
      '1 node online.',
    ])
    const { id } = await app.sendTask('shop.wait')
    await expect
      .poll(async () => (await lovage([...flags(), 'inspect', 'query_task', id])).stdout.join('\n'), {
        timeout: 10_000,
      })
      .toMatch(new RegExp(`STATE +ID +NAME.*\\n +active +${id} +shop\\.wait`))
    const { stdout } = await lovage([...flags(), 'inspect', '--json', '-d', 'shop@here', 'stats'])
    expect(JSON.parse(stdout.join('\n'))).toMatchObject({ 'shop@here': { pid: process.pid } })

    const ended = await lovage([...flags(), 'control', 'terminate', 'KILL', id])
    expect(ended.stdout).toEqual(['->  shop@here: OK', `    terminate: ${id}`])
    const failed = await lovage([...flags(), 'control', 'pool_restart'])
    expect(failed.stdout).toEqual(['->  shop@here: ERROR', "    ValueError('Pool restarts not enabled')"])
    await lovage([...flags(), 'control', 'shutdown'])
    await worker.stopped
  })

  it('orders nodes by name, and names those that were asked and are silent', async () => {
    const { url: at } = await startRedis()
    const app = testApp(at)
    // The one that replies last comes first.
    app.controlCommand('slow', () => new Promise((resolve) => setTimeout(resolve, 100, { ok: 'slow' })))
    await using a = await app.startWorker({ hostname: 'a@here' })
    const other = testApp(at)
    other.controlCommand('slow', () => ({ ok: 'fast' }))
    await using z = await other.startWorker({ hostname: 'z@here' })
    const asked = [a.hostname, z.hostname, 'typo@here'].join(',')
    const words = ['control', '-d', asked, 'slow']
    const { output, stdout, code } = await lovage(['-A', appModule('controlled.js'), '-b', at, ...words])
    expect(stdout).toEqual(['->  a@here: OK', '    slow', '->  z@here: OK', '    fast'])
    expect(output).toContain('warning: no reply from typo@here')
    expect(code).toBe(0)
  })

  it.each([
    [['control', 'election', 'id', 'topic'], /Python workers die of it/],
    [['inspect'], /expected a command/],
    [['inspect', 'actve'], /did you mean active\?/],
    [['inspect', 'revoke', 'x'], /revoke is a command of lovage control/],
    [['control', 'pool_grwo'], /did you mean pool_grow\?/],
    [['control', 'constructor'], /there is no command "constructor"/],
    [['control', 'frobnicate'], /--list names them all/],
    [['control', 'revoke'], /revoke: expected <id> \[\.\.\.\], got none/],
    [['control', 'pool_grow', 'many'], /expected a whole number, got "many"/],
    [['inspect', 'ping', 'x'], /ping: expected no arguments, got x/],
    [['status', '-t', '0'], /Expected seconds/],
  ])('refuses %j with 2', async (words, message) => {
    const { code, output } = await lovage([...flags(), ...words])
    expect(output.join('\n')).toMatch(message)
    expect(code).toBe(2)
  })

  it('lists the commands', async () => {
    const { code, stdout } = await lovage(['control', '--list'])
    expect(stdout.join('\n')).toMatch(/^time_limit <task> <soft_secs> \[hard_secs\] +change/m)
    expect(code).toBe(0)
  })

  it('ends a worker process by remote control, with 0', async () => {
    const process = await startLovage([...flags(), 'worker', '-n', 'gone@here', '-Q', 'nobodys'])
    await process.waitForLine(/gone@here ready\./)
    expect((await lovage([...flags(), 'control', '-d', 'gone@here', 'shutdown'])).code).toBe(0)
    expect(await process.exit).toMatchObject({ code: 0 })
  })
})
