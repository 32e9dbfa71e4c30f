import { describe, expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { celeryGenerations } from '../../support/celery-generations.js'
import { startPythonClient } from '../../support/python-client.js'
import { startPythonWorker } from '../../support/python-worker.js'
import { redisClient, startRedis } from '../../support/redis-server.js'
import { group } from '../../../src/index.js'
import { testApp } from '../../support/test-app.js'
import { eventually } from '../../support/eventually.js'

const TIMEOUT = 20_000

describe.each(celeryGenerations)('revocation and $name', ({ python }) => {
  it('row 25: is shared by mingle, both ways', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const first = await startPythonWorker({ broker: url, python, pool: 'solo', chatty: true })
    await using client = startPythonClient({ broker: url, python })
    // With a destination, it waits for as many replies; without, to the end of its time.
    const destination = `destination=["${first.nodeName}"]`
    await client.evaluate(`app.control.revoke("told to Python", reply=True, timeout=10, ${destination})`)
    // Lovage's workers have it from no other place.
    expect(await redisClient(url).exists('lovage.revoked')).toBe(0)
    const worker = await app.startWorker({ hostname: 'lovage@interop' })
    atTestEnd(() => worker.stop())
    const revokedBy = async (node: string): Promise<unknown> =>
      (await app.control.inspect({ destination: node, timeout: 2000 }).revoked())[node]
    expect(await revokedBy(worker.hostname)).toEqual(['told to Python'])

    await first.stop()
    await app.control.revoke('told to Lovage', {
      reply: true,
      destination: worker.hostname,
      timeout: TIMEOUT,
    })
    const second = await startPythonWorker({ broker: url, python, pool: 'solo', chatty: true })
    // It says that it is ready a moment before it hears anything.
    const known = await eventually(() => revokedBy(second.nodeName), { timeoutMs: TIMEOUT })
    expect(new Set(known as string[])).toEqual(new Set(['told to Python', 'told to Lovage']))
    expect(second.log()).not.toMatch(/Traceback/)
  })

  it('row 25: Python revokes and terminates tasks of a Lovage worker', async () => {
    const { url } = await startRedis()
    const app = testApp(url)
    const seen: string[] = []
    app.task('pytasks.hold', { bind: true }, async (task, key: string) => {
      seen.push(key)
      await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
    })
    const worker = await app.startWorker({
      hostname: 'lovage@interop',
      concurrency: 1,
      prefetchMultiplier: 2,
    })
    atTestEnd(() => worker.stop())
    await using client = startPythonClient({ broker: url, python })
    const running = await client.send('pytasks.hold', { args: ['running'] })
    await eventually(() => seen.length === 1)
    const waiting = await client.send('pytasks.hold', { args: ['waiting'] })
    await client.evaluate(`app.control.revoke(${JSON.stringify(waiting)})`)
    await client.evaluate(`app.control.revoke(${JSON.stringify(running)}, terminate=True, signal='SIGKILL')`)
    for (const id of [running, waiting]) {
      await expect(client.get(id, 20)).rejects.toMatchObject({ type: 'TaskRevokedError' })
    }
    await eventually(async () => (await redisClient(url).hlen('unacked')) === 0)
    expect(seen).toEqual(['running'])
  })

  it('row 25: a group is ended as a whole, whoever asks, where it runs and where it waits', async () => {
    const { url } = await startRedis()
    const redis = redisClient(url)
    const app = testApp(url)
    app.task('pytasks.hold', { bind: true }, async (task, key: string) => {
      await redis.rpush(`${key}:started`, task.request.id)
      await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
    })
    const worker = await app.startWorker({ hostname: 'lovage@interop', queues: ['js'], concurrency: 1 })
    atTestEnd(() => worker.stop())
    const options = { broker: url, python, queues: ['py'], args: ['--prefetch-multiplier', '4'] }
    await using pythonWorker = await startPythonWorker(options)
    await using client = startPythonClient({ broker: url, python })
    const queues = ['js', 'js', 'py', 'py']
    const areRunning = (key: string): Promise<unknown> =>
      eventually(async () => (await redis.llen(`${key}:started`)) === 2, { timeoutMs: TIMEOUT })

    const ours = await group(
      queues.map((queue) => app.signature('pytasks.hold', { args: ['ours'], options: { queue } })),
    ).applyAsync()
    await areRunning('ours')
    await ours.revoke({ terminate: true, killSignal: 'SIGKILL' })
    for (const part of await ours.children()) {
      await expect(part.get({ timeout: TIMEOUT })).rejects.toMatchObject({ excType: 'TaskRevokedError' })
    }

    const theirs = (await client.evaluate(`
sent = group(hold.s('theirs').set(queue=queue) for queue in ${JSON.stringify(queues)}).apply_async()
sent.save()
result = sent.id`)) as string
    await areRunning('theirs')
    await client.evaluate(
      `GroupResult.restore('${theirs}', app=app).revoke(terminate=True, signal='SIGKILL')`,
    )
    for (const part of await app.groupResult(theirs).children()) {
      await expect(part.get({ timeout: TIMEOUT })).rejects.toMatchObject({ excType: 'TaskRevokedError' })
    }
    await eventually(async () => (await redis.hlen('unacked')) === 0)
    expect([await redis.llen('ours:started'), await redis.llen('theirs:started')]).toEqual([2, 2])
    await pythonWorker.kill()
  })
})
