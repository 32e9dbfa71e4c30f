import { describe, expect, it } from 'vitest'
import { celeryGenerations } from '../../support/celery-generations.js'
import { lovage } from '../../integration/cli/lovage.js'
import { runPython } from '../../support/python.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { startRedis } from '../../support/redis-server.js'
import { testApp } from '../../support/test-app.js'

describe.each(celeryGenerations)('lovage and $name', ({ python }) => {
  it('row 35: lovage status, inspect and control work on a Python worker', async () => {
    const { url } = await startRedis()
    const worker = await startPythonWorker({ broker: url, python, pool: 'solo' })
    const { nodeName } = worker
    const run = (...words: string[]): ReturnType<typeof lovage> =>
      lovage(['-b', url, '--result-backend', url, ...words, '-t', '20', '-d', nodeName])
    expect((await run('status')).stdout).toEqual([`->  ${nodeName}: OK`, '', '1 node online.'])
    for (const method of [
      'ping',
      'active',
      'reserved',
      'scheduled',
      'registered',
      'stats',
      'conf',
      'revoked',
    ]) {
      const { code, stdout } = await run('inspect', method)
      expect(stdout[0], method).toBe(`->  ${nodeName}: OK`)
      expect(code).toBe(0)
    }
    expect((await run('inspect', 'active_queues')).stdout[2]).toBe('    celery  celery    celery')
    expect((await run('control', 'rate_limit', 'pytasks.add', '5/m')).stdout[1]).toContain('new rate limit')
    expect((await run('control', 'time_limit', 'pytasks.add', '1', '2')).stdout[1]).toContain(
      'time limits set',
    )
    expect((await run('control', 'add_consumer', 'more')).stdout[1]).toContain('add consumer more')
    expect((await run('control', 'shutdown')).code).toBe(0)
    await worker.waitForLine(/Got shutdown from remote/, 20_000)
  })

  it('celery status and inspect work on a Lovage worker', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    app.task('pytasks.add', (x: number, y: number) => x + y)
    await using worker = await app.startWorker({ hostname: 'lovage@interop' })
    const run = async (...words: string[]): Promise<string> => {
      const args = ['-m', 'celery', '-A', 'pytasks', ...words, '-t', '20', '-d', worker.hostname]
      const { code, output } = await runPython(args, { broker: url, python })
      expect(code, output).toBe(0)
      return output
    }
    expect(await run('status')).toContain('1 node online.')
    expect(await run('inspect', 'registered')).toContain('pytasks.add')
    expect(await run('inspect', 'stats')).toContain('max-concurrency')
    expect(await run('control', 'pool_grow', '2')).toContain('pool will grow')
    await worker.stop()
  })
})
