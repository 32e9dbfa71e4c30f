import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'
import { startPoolSite, type PoolSite } from './pool-site.js'
import type { AsyncResult, TaskInfo, WorkerStats } from '../../../src/index.js'

let redis: SharedRedis
beforeAll(async () => {
  redis = await redisForTests()
})
afterAll(() => redis.stop())

const PATIENCE = { timeout: 25_000 }

describe.each(['processes', 'threads'] as const)('a pool of %s, by remote control', (pool) => {
  const destination = `${pool}@here`
  const options = { reply: true, destination, ...PATIENCE }
  let site: PoolSite
  beforeAll(async () => {
    const settings = { workerPoolRestarts: true, taskTrackStarted: true, taskTimeLimit: 60 }
    site = await startPoolSite(redis.url, { pool, hostname: destination }, settings)
  })
  afterAll(async () => {
    await site.worker.stop()
    await site.app.close()
  })

  const inspect = (): ReturnType<typeof site.app.control.inspect> =>
    site.app.control.inspect({ destination, ...PATIENCE })
  const active = async (): Promise<readonly TaskInfo[]> =>
    (await inspect().active())[destination] as readonly TaskInfo[]
  const stats = async (): Promise<WorkerStats['pool']> =>
    ((await inspect().stats())[destination] as WorkerStats).pool
  /** @returns the process of the task, once that runs. */
  const atWork = async (sent: AsyncResult): Promise<number> => {
    await eventually(async () => (await sent.state()) === 'AT_WORK')
    return ((await sent.info()) as { pid: number }).pid
  }
  const runsTheNext = async (): Promise<void> => {
    expect(await (await site.send('work.add', 40, 2)).get(PATIENCE)).toBe(42)
  }

  it('row 25: terminates a running task, with a signal, wherever it is in its loop', async () => {
    const spinning = await site.send('work.spin')
    const pid = await atWork(spinning)
    expect((await active()).map(({ id, worker_pid }) => [id, worker_pid])).toEqual([[spinning.id, pid]])
    const told = await site.app.control.terminate(spinning.id, { ...options, killSignal: 'SIGKILL' })
    expect(told).toEqual({ [destination]: { ok: `terminate: ${spinning.id}` } })
    await expect(spinning.get(PATIENCE)).rejects.toMatchObject({
      excType: 'TaskRevokedError',
      excMessage: ['terminated'],
    })
    await runsTheNext()
    expect(await active()).toEqual([])
  })

  it('row 25: leaves a task to end by itself after SIGUSR1, and lists it until it does or is killed', async () => {
    const spinning = await site.send('work.spin')
    const pid = await atWork(spinning)
    const { id } = spinning
    const terminate = (killSignal: string) => site.app.control.terminate(id, { ...options, killSignal })
    const told = { [destination]: { ok: `terminate: ${id}` } }
    expect(await terminate('SIGUSR1')).toEqual(told)
    await expect(spinning.get(PATIENCE)).rejects.toMatchObject({ excType: 'TaskRevokedError' })
    expect((await active()).map((task) => [task.id, task.worker_pid])).toEqual([[id, pid]])
    expect(site.worker.counts()).toMatchObject({ active: 1, lingering: 1 })
    expect(await terminate('KILL')).toEqual(told)
    await eventually(() => site.worker.counts().lingering === 0)
    expect(await active()).toEqual([])
    expect(() => site.worker.terminate(id, 'SIGFOO' as never)).toThrow('signal: expected one such as SIGTERM')
    await runsTheNext()
  })

  it('tells the process that a task has started in', async () => {
    const sent = await site.send('work.until_aborted')
    await eventually(async () => (await sent.state()) === 'STARTED')
    const { pid } = (await sent.info()) as { pid: number }
    expect(pool === 'processes' ? site.worker.pool.children : [process.pid]).toContain(pid)
    await sent.revoke({ terminate: true })
    await expect(sent.get(PATIENCE)).rejects.toMatchObject({ excType: 'TaskRevokedError' })
  })

  it('row 41: keeps the hard limits of a task, and those set by remote control', async () => {
    const { app } = site
    await app.control.timeLimit('work.spin', { hard: 0.3 }, options)
    for (const task of ['work.spin_limited', 'work.spin']) {
      const spinning = await site.send(task)
      await atWork(spinning)
      const from = performance.now()
      await expect(spinning.get(PATIENCE)).rejects.toMatchObject({ excType: 'TimeLimitExceeded' })
      expect(performance.now() - from).toBeLessThan(1300)
      await runsTheNext()
    }
    await app.control.timeLimit('work.spin', {}, options)
  })

  it('grows and shrinks, and says so', async () => {
    const { app, worker } = site
    const told = (what: string): unknown => ({ [destination]: { ok: `pool will ${what}` } })
    expect(await app.control.poolGrow(1, options)).toEqual(told('grow'))
    expect(worker.pool).toMatchObject({ concurrency: 3, children: { length: 3 } })
    const { processes, writes, ...rest } = await stats()
    expect(rest).toMatchObject({
      implementation: `lovage:${pool}`,
      'max-concurrency': 3,
      'max-tasks-per-child': 'N/A',
      timeouts: [0, 60],
      ...(pool === 'threads' && { threads: 3 }),
    })
    const expected = pool === 'threads' ? Array<number>(3).fill(process.pid) : worker.pool.children
    expect(processes).toEqual(expected)
    expect((writes as { raw: string }).raw.split(', ').map(Number)).toHaveLength(3)
    expect((writes as { total: number }).total).toBe(worker.counts().started)
    expect(await app.control.poolShrink(1, options)).toEqual(told('shrink'))
    await eventually(() => worker.pool.children.length === 2)
    expect((await stats())['max-concurrency']).toBe(2)
    expect((await app.control.poolShrink(2, options))[destination]).toHaveProperty('error')
  })

  it('replaces its children, each when its task has ended', async () => {
    const { app, worker } = site
    const before = worker.pool.children
    const sleeping = await site.send<string>('work.sleep', 'to its end', 700)
    await atWork(sleeping)
    const { started } = worker.counts()
    expect(await app.control.poolRestart(options)).toEqual({ [destination]: { ok: 'reload started' } })
    const kept = (): readonly number[] => worker.pool.children.filter((id) => before.includes(id))
    expect(await sleeping.get(PATIENCE)).toBe('to its end')
    await eventually(() => worker.pool.children.length === 2 && kept().length === 0)
    await runsTheNext()
    expect(worker.counts().started).toBe(started + 1)
  })

  it('changes the limits of its autoscaler', async () => {
    const node = `scaled-${destination}`
    const scaled = await startPoolSite(redis.url, { pool, hostname: node, autoscale: { max: 1, min: 1 } })
    const one = { ...options, destination: node }
    expect(await scaled.app.control.autoscale(2, 2, one)).toEqual({
      [node]: { ok: 'autoscale now max=2 min=2' },
    })
    await eventually(() => scaled.worker.pool.children.length === 2)
    expect((await scaled.app.control.poolGrow(1, one))[node]).toEqual({
      error: 'pool_grow is not supported with autoscale. Adjust autoscale range instead.',
    })
    expect((await scaled.app.control.poolRestart(one))[node]).toEqual({
      error: "ValueError('Pool restarts not enabled')",
    })
  })
})
