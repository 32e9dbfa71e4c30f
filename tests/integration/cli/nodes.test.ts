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
    const commands = [['status'], ['inspect', 'ping'], ['control', 'enable_events']]
    const runs = commands.map((words) => lovage([...flags(empty), ...words, '-t', '0.2']))
    for (const { code, output } of await Promise.all(runs)) {
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
    // Who asks a node by its name waits for no others.
    const only = ['-t', '10', '-d', 'shop@here']
    const [status, ping, active, queues] = await Promise.all([
      lovage([...flags(), 'status']),
      lovage([...flags(), 'inspect', 'ping']),
      lovage([...flags(), '-q', 'inspect', ...only, 'active']),
      lovage([...flags(), 'inspect', ...only, 'active_queues']),
    ])
    expect(status).toMatchObject({ code: 0, stdout: ['->  shop@here: OK', '', '1 node online.'] })
    expect(ping.stdout).toEqual(['->  shop@here: OK', '    pong', '', '1 node online.'])
    expect(active.stdout).toEqual(['->  shop@here: OK', '    - empty -'])
    expect(queues.stdout.slice(1)).toEqual([
      '    QUEUE   EXCHANGE  ROUTING KEY',
      '    celery  celery    celery',
      '    more    more      more',
      '',
      '1 node online.',
    ])
    const { id } = await app.sendTask('shop.wait')
    await expect
      .poll(
        async () => (await lovage([...flags(), 'inspect', ...only, 'query_task', id])).stdout.join('\n'),
        {
          timeout: 10_000,
        },
      )
      .toMatch(new RegExp(`STATE +ID +NAME.*\\n +active +${id} +shop\\.wait`))
    const [stats, ended, failed] = await Promise.all([
      lovage([...flags(), 'inspect', ...only, '--json', 'stats']),
      lovage([...flags(), 'control', ...only, 'terminate', 'KILL', id]),
      lovage([...flags(), 'control', ...only, 'pool_restart']),
    ])
    expect(JSON.parse(stats.stdout.join('\n'))).toMatchObject({ 'shop@here': { pid: process.pid } })
    expect(ended.stdout).toEqual(['->  shop@here: OK', `    terminate: ${id}`])
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

  // How each is refused: tests/unit/cli.
  it('refuses with 2 what is no command', async () => {
    const { code, output } = await lovage([...flags(), 'inspect', 'actve'])
    expect(output).toEqual(['error: there is no command "actve"; did you mean active?'])
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
