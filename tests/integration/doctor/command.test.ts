import { describe, expect, it } from 'vitest'
import { appModule, lovage } from '../cli/lovage.js'
import { startRedis } from '../../support/redis-server.js'

const PERSISTENT = ['--appendonly', 'yes']

describe('lovage doctor', () => {
  it('prints one screen, and ends with 0 where nothing is at fault', async () => {
    const { url, port } = await startRedis({ args: PERSISTENT })
    const { code, output } = await lovage(['doctor'], { env: { REDIS_URL: url } })
    expect(output[0]).toBe(`broker and result backend: ${url}`)
    expect(output).toContain(`  ok       reachability      connected to 127.0.0.1:${port}`)
    expect(output).toContain('  ok       maxmemory-policy  noeviction')
    expect(output).toContain('  ok       queues            celery 0, reports 0')
    expect(output.at(-1)).toMatch(/^0 faults, \d+ warnings?, \d+ ok$/)
    expect(output.length).toBeLessThan(40)
    expect(code).toBe(0)
  })

  it('ends with 1 where something is, and says what to do below it', async () => {
    const { url } = await startRedis({ args: [...PERSISTENT, '--maxmemory-policy', 'allkeys-lru'] })
    const { code, stdout } = await lovage(['doctor'], { env: { REDIS_URL: url } })
    const line = stdout.findIndex((text) => /^ {2}fault {4}maxmemory-policy {2}allkeys-lru/.test(text))
    expect(line).toBeGreaterThan(0)
    expect(stdout[line + 1]).toMatch(/^ +-> set it to noeviction/)
    expect(code).toBe(1)
  })

  it('prints JSON of a form that programs may rely on', async () => {
    const broker = await startRedis({ args: [...PERSISTENT, '--requirepass', 'hush'] })
    const backend = await startRedis({ args: [...PERSISTENT, '--maxmemory-policy', 'allkeys-lru'] })
    const { code, stdout } = await lovage(
      ['-b', `redis://:hush@127.0.0.1:${broker.port}/0`, '--result-backend', backend.url, 'doctor', '--json'],
      {},
    )
    const report = JSON.parse(stdout.join('\n')) as {
      examined: { findings: { name: string; status: string; found: string; advice?: string }[] }[]
    }
    expect(report).toMatchObject({
      status: 'warning',
      examined: [
        { uses: ['broker'], url: `redis://***@127.0.0.1:${broker.port}/0` },
        { uses: ['results'], url: backend.url },
      ],
    })
    for (const { findings } of report.examined) {
      for (const { name, status, found, advice, ...more } of findings) {
        expect(more).toEqual({})
        expect([name, found].every((text) => typeof text === 'string' && text !== '')).toBe(true)
        expect(['ok', 'warning', 'fault', 'unseen']).toContain(status)
        expect(advice !== undefined, name).toBe(status === 'warning' || status === 'fault')
      }
    }
    expect(stdout.join('\n')).not.toContain('hush')
    expect(code).toBe(0)
  })

  it('looks as the app of -A would, and into its queues or those of -Q', async () => {
    const { url } = await startRedis({ args: PERSISTENT })
    const app = appModule('shop.js')
    const flags = ['-A', app, '-b', url, '--result-backend', url, 'doctor']
    expect((await lovage(flags)).output.join('\n')).toMatch(/queues +celery 0$/m)
    expect((await lovage([...flags, '-Q', 'a,b'])).output.join('\n')).toMatch(/queues +a 0, b 0$/m)
  })

  it('asks for the permissions of the role that is named', async () => {
    const user = ['--user', 'shop', 'on', '>secret', '~*', '&*', '+@all', '-ltrim']
    const { port } = await startRedis({ args: [...PERSISTENT, ...user] })
    const env = { REDIS_URL: `redis://shop:secret@127.0.0.1:${port}/0` }
    expect(await lovage(['doctor', '--role', 'producer'], { env })).toMatchObject({ code: 0 })
    expect(await lovage(['doctor', '--role', 'worker'], { env })).toMatchObject({ code: 1 })
  })

  it('tells that this machine’s clock is wrong', async () => {
    const { url } = await startRedis({ args: PERSISTENT })
    const module = 'data:text/javascript,const{now}=Date;Date.now=()=>now()+90000'
    const env = { REDIS_URL: url, NODE_OPTIONS: `--import=${module}` }
    const { code, stdout } = await lovage(['doctor'], { env })
    expect(stdout.join('\n')).toMatch(/fault +clock-skew +the server's clock is 90\.\d s behind/)
    expect(code).toBe(1)
  })

  it('has nothing to say of memory://', async () => {
    const { code, stdout } = await lovage(['-b', 'memory://', 'doctor'])
    expect(stdout.join('\n')).toContain('there is nothing to look at')
    expect(code).toBe(0)
  })

  it.each([[['--role', 'boss']], [['--jason']], [['-Q', '']]])('refuses %j with 2', async (flags) => {
    expect(await lovage(['doctor', ...flags])).toMatchObject({ code: 2, stdout: [] })
  })
})
