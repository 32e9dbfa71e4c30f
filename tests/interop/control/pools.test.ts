import { expect, it } from 'vitest'
import { celeryGenerations } from '../../support/celery-generations.js'
import { eventually } from '../../support/eventually.js'
import { runPython } from '../../support/python.js'
import { startPoolSite } from '../../integration/pools/pool-site.js'
import { startPythonClient } from '../../support/python-client.js'
import { startRedis } from '../../support/redis-server.js'
import type { WorkerStats } from '../../../src/index.js'

const PATIENCE = { timeout: 25_000 }
const [current] = celeryGenerations
const python = current?.python ?? ''

it('row 25: Python’s control sizes and replaces the children of our pools, and ends tasks in them', async () => {
  const { url } = await startRedis()
  await using client = startPythonClient({ broker: url, python })
  const sites = await Promise.all(
    (['processes', 'threads'] as const).map(async (pool) => ({
      pool,
      node: `${pool}@here`,
      ...(await startPoolSite(
        url,
        { pool, hostname: `${pool}@here`, concurrency: 1 },
        { workerPoolRestarts: true },
      )),
    })),
  )
  const tell = async (node: string, call: string): Promise<unknown> => {
    const code = `app.control.${call.slice(0, -1)}, destination=[${JSON.stringify(node)}], reply=True, timeout=20)`
    return client.evaluate(code.replace('(, ', '('))
  }
  const implementation = `__import__('celery.concurrency', fromlist=['_']).get_implementation`
  const keys = (await client.evaluate(
    `[key for pool in ['threads', 'solo'] for key in ${implementation}(pool)(1).info]`,
  )) as string[]
  expect(keys).toContain('threads')
  for (const { node, worker, send, pool, app } of sites) {
    const stats = await app.control.inspect({ destination: node, ...PATIENCE }).stats()
    const known = Object.keys((stats[node] as WorkerStats).pool)
    // Those of prefork are compared with all that a worker replies.
    const ofCelery = keys.filter((key) => pool === 'threads' || key !== 'threads')
    expect(known, pool).toEqual(expect.arrayContaining(ofCelery))

    const ok = (text: string): unknown => [{ [node]: { ok: text } }]
    expect(await tell(node, 'pool_grow(1)'), pool).toEqual(ok('pool will grow'))
    expect(worker.pool).toMatchObject({ concurrency: 2, children: { length: 2 } })
    expect(await tell(node, 'pool_shrink(1)'), pool).toEqual(ok('pool will shrink'))
    await eventually(() => worker.pool.children.length === 1)

    const spinning = await send('work.spin')
    await eventually(async () => (await spinning.state()) === 'AT_WORK')
    const end = `revoke(${JSON.stringify(spinning.id)}, terminate=True, signal="SIGKILL")`
    expect(await tell(node, end), pool).toEqual(ok(`terminate: ${spinning.id}`))
    await expect(client.get(spinning.id, 20)).rejects.toMatchObject({ type: 'TaskRevokedError' })
    expect(await (await send('work.add', 40, 2)).get(PATIENCE)).toBe(42)

    const before = worker.pool.children
    const args = ['-m', 'celery', '-A', 'pytasks', 'control', 'pool_restart', '-t', '20', '-d', node]
    const { code, output } = await runPython(args, { broker: url, python })
    expect([code, output]).toEqual([0, expect.stringContaining('reload started')])
    expect(worker.pool.children.filter((id) => before.includes(id))).toEqual([])
    expect(await (await send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
  }
  const autoscale = { max: 1, min: 1 }
  const node = 'scaled@here'
  const { worker } = await startPoolSite(url, { pool: 'threads', hostname: node, autoscale })
  expect(await tell(node, 'autoscale(2, 2)')).toEqual([{ [node]: { ok: 'autoscale now max=2 min=2' } }])
  await eventually(() => worker.pool.children.length === 2)
})
