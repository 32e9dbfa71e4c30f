import { describe, expect, it } from 'vitest'
import { celeryGenerations } from '../support/celery-generations.js'
import { startPythonClient } from '../support/python-client.js'
import { startPythonWorker } from '../support/python-worker.js'
import { runPython } from '../support/python.js'
import { redisForTests } from '../support/redis.js'

// That Python talks to Python here is what every other interop test stands on.
describe.each(celeryGenerations)('$name', ({ python }) => {
  it('runs what a Python producer sends', async () => {
    await using redis = await redisForTests()
    const conf = { broker_transport_options: { global_keyprefix: redis.prefix } }
    const settings = { broker: redis.url, conf, python }
    await using worker = await startPythonWorker(settings)
    await using client = startPythonClient(settings)

    const id = await client.send('pytasks.mul', { args: [6, 7] })
    expect(await client.get(id)).toBe(42)

    const failed = await client.send('pytasks.fail_order', { args: [17, 'sold out'] })
    await expect(client.get(failed)).rejects.toMatchObject({ type: 'OrderError', args: [17, 'sold out'] })

    const canvas = `chord([add.s(1, 1), add.s(2, 2)], xsum.s()).apply_async().get(timeout=30)`
    expect(await client.evaluate(canvas)).toBe(6)
    await worker.waitForLine(new RegExp(`pytasks\\.mul\\[${id}\\] succeeded`))
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('runs Python programs to their end', async () => {
    const result = await runPython(['-c', 'import sys; print("out"); sys.exit(4)'], {
      broker: 'memory://',
      python,
    })

    expect(result).toMatchObject({ code: 4, stdout: 'out' })
  })
})
