import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { AsyncResult } from '../../../src/results/async-result.js'
import { TaskError } from '../../../src/serialization/exceptions.js'
import { formatResultMeta, type OutgoingResultMeta } from '../../../src/serialization/result-meta.js'
import type { ResultBackend, StoredResult } from '../../../src/results/result-backend.js'

export type MakeBackend = () => Promise<ResultBackend>

export function stored(
  taskId: string,
  status: string,
  result: unknown,
  more: Partial<OutgoingResultMeta & { readonly expiresSeconds: number }> = {},
): StoredResult {
  const { expiresSeconds = 60, ...meta } = more
  const isEnd = ['SUCCESS', 'FAILURE', 'REVOKED'].includes(status)
  const dateDone = isEnd ? new Date('2026-11-20T21:06:50.028Z') : undefined
  return { taskId, expiresSeconds, text: formatResultMeta({ taskId, status, result, dateDone, ...meta }) }
}

/** What every result backend does, whatever it is made of. */
export function describeResultBackend(makeBackend: MakeBackend): void {
  it('gives back what was stored', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    expect(await backend.fetch(id)).toBeUndefined()
    await backend.store([stored(id, 'PROGRESS', { current: 1 })])
    expect(await backend.fetch(id)).toMatchObject({ taskId: id, status: 'PROGRESS', result: { current: 1 } })
    await backend.store([stored(id, 'SUCCESS', 5)])
    const meta = await backend.fetch(id)
    expect(meta).toMatchObject({ status: 'SUCCESS', result: 5, children: [], traceback: null })
    expect(meta?.dateDone).toEqual(new Date('2026-11-20T21:06:50.028Z'))
  })

  it('fetches many, in the order asked for', async () => {
    const backend = await makeBackend()
    const ids = Array.from({ length: 2500 }, () => randomUUID())
    await backend.store(ids.filter((_, i) => i % 2 === 0).map((id, i) => stored(id, 'SUCCESS', i)))
    const metas = await backend.fetchMany(ids)
    expect(metas.map((meta) => meta?.result)).toEqual(ids.map((_, i) => (i % 2 === 0 ? i / 2 : undefined)))
    expect(await backend.fetchMany([])).toEqual([])
  })

  it('Must 10.1: does not overwrite a SUCCESS, but any other state', async () => {
    const backend = await makeBackend()
    const [done, failed] = [randomUUID(), randomUUID()]
    await backend.store([stored(done, 'SUCCESS', 1), stored(failed, 'FAILURE', null)])
    await backend.store([stored(done, 'FAILURE', null), stored(failed, 'SUCCESS', 2)])
    expect(await backend.fetch(done)).toMatchObject({ status: 'SUCCESS', result: 1 })
    expect(await backend.fetch(failed)).toMatchObject({ status: 'SUCCESS', result: 2 })
  })

  it('is not misled by a result that holds the word SUCCESS', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    await backend.store([stored(id, 'PROGRESS', { status: 'SUCCESS', text: '"status": "SUCCESS"' })])
    await backend.store([stored(id, 'FAILURE', null)])
    expect(await backend.fetch(id)).toMatchObject({ status: 'FAILURE' })
  })

  it('lets a result go after its time', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    await backend.store([stored(id, 'SUCCESS', 1, { expiresSeconds: 1 })])
    expect(await backend.fetch(id)).toBeDefined()
    await expect.poll(() => backend.fetch(id), { timeout: 5000, interval: 50 }).toBeUndefined()
  })

  it('resolves a wait that began before the result was stored, and one that began after', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    const early = backend.wait(id, { timeoutMs: 5000 })
    await backend.store([stored(id, 'STARTED', null)])
    await backend.store([stored(id, 'SUCCESS', 7)])
    expect(await early).toMatchObject({ status: 'SUCCESS', result: 7 })
    expect(await backend.wait(id, { timeoutMs: 5000 })).toMatchObject({ result: 7 })
  })

  it('loses no wake-up between looking and listening, for a thousand waiters at once', async () => {
    const backend = await makeBackend()
    const ids = Array.from({ length: 1000 }, () => randomUUID())
    const waits = ids.map((id) => backend.wait(id, { timeoutMs: 10_000 }))
    // Stored while the subscriptions are being made: some land before, some after.
    await Promise.all(ids.map((id, i) => backend.store([stored(id, 'SUCCESS', i)])))
    const metas = await Promise.all(waits)
    expect(metas.map(({ result }) => result)).toEqual(ids.map((_, i) => i))
  })

  it('tells every waiter of one task', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    const waits = [1, 2, 3].map(() => backend.wait(id, { timeoutMs: 5000 }))
    await backend.store([stored(id, 'REVOKED', { exc_type: 'TaskRevokedError' })])
    expect((await Promise.all(waits)).map(({ status }) => status)).toEqual(['REVOKED', 'REVOKED', 'REVOKED'])
  })

  it('gives up a wait when its time is over or its signal aborts', async () => {
    const backend = await makeBackend()
    await expect(backend.wait(randomUUID(), { timeoutMs: 30 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    const reason = new Error('enough')
    await expect(backend.wait(randomUUID(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    const waiting = backend.wait(randomUUID(), { signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })

  it('streams the states of a task from the present one to the last', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    await backend.store([stored(id, 'PROGRESS', 0)])
    const seen: unknown[] = []
    for await (const meta of new AsyncResult(id, backend)) {
      if (seen.at(-1) === meta.result) continue
      seen.push(meta.result)
      const next = seen.length
      await backend.store([next < 3 ? stored(id, 'PROGRESS', next) : stored(id, 'SUCCESS', 'done')])
    }
    expect(seen).toEqual([0, 1, 2, 'done'])
  })

  it('forgets', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    await backend.store([stored(id, 'SUCCESS', 1)])
    await new AsyncResult(id, backend).forget()
    expect(await backend.fetch(id)).toBeUndefined()
  })

  it('rethrows a failure as a TaskError with class, message and traceback', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    const exception = { exc_type: 'ValueError', exc_message: ['boom', 42], exc_module: 'builtins' }
    const traceback = 'Traceback (most recent call last):\nValueError: boom\n'
    await backend.store([stored(id, 'FAILURE', exception, { traceback })])
    const result = new AsyncResult(id, backend)
    await expect(result.get({ timeout: 5000 })).rejects.toBeInstanceOf(TaskError)
    await expect(result.get({ timeout: 5000 })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      excType: 'ValueError',
      excModule: 'builtins',
      excMessage: ['boom', 42],
      traceback,
      taskId: id,
    })
    expect(await result.get({ timeout: 5000, propagate: false })).toEqual(exception)
    expect(await result.failed()).toBe(true)
  })

  it('says PENDING for what it knows nothing of', async () => {
    const backend = await makeBackend()
    const result = new AsyncResult(randomUUID(), backend)
    expect([await result.state(), await result.ready(), await result.info()]).toEqual([
      'PENDING',
      false,
      undefined,
    ])
  })
}
