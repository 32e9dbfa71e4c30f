import { once } from 'node:events'
import { randomUUID } from 'node:crypto'
import { Session } from 'node:inspector'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { builtApp } from './pool-site.js'
import { canReadThreadMemory, threadMeter } from '../../../src/worker/pool/child/thread-memory.js'
import { redisForTests, type SharedRedis } from '../../support/redis.js'

let redis: SharedRedis
beforeAll(async () => {
  redis = await redisForTests()
})
afterAll(() => redis.stop())

/** It takes so many MiB, says so, and computes for ever; without a number, it waits. */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads')
if (workerData === undefined) parentPort.on('message', () => undefined)
else {
  const taken = Buffer.alloc(workerData * 2 ** 20, 1)
  parentPort.postMessage('busy')
  for (;;) taken[0]++
}
`

function startThread(mib?: number): Worker {
  const thread = new Worker(PROGRAM, { eval: true, workerData: mib })
  atTestEnd(() => thread.terminate().then(() => undefined))
  return thread
}

/** Only the main thread of a process has an inspector of others. */
const isInspected = canReadThreadMemory && !('getHeapStatistics' in Worker.prototype)

it('tells what each thread has while it computes, among threads of others', async () => {
  const disconnected = vi.spyOn(Session.prototype, 'disconnect')
  atTestEnd(() => disconnected.mockRestore())
  // The inspector counts what it sees, and not as threads are counted.
  await startThread().terminate()
  const of = threadMeter()
  const threads = [0, 128].map((mib) => {
    startThread()
    const thread = startThread(mib)
    return { thread, mib, read: of(thread), busy: once(thread, 'message') }
  })
  await Promise.all(threads.map(({ busy }) => busy))
  for (const { read, mib } of threads) {
    const told = await read()
    expect(told).toBeGreaterThan(mib * 1024)
    expect(told).toBeLessThan((mib + 32) * 1024)
  }
  expect(disconnected).not.toHaveBeenCalled()
  await Promise.all(threads.map(({ thread }) => thread.terminate()))
  expect(await Promise.all(threads.map(({ read }) => read()))).toEqual([undefined, undefined])
  // No session is kept for nobody.
  expect(disconnected).toHaveBeenCalledTimes(isInspected ? 1 : 0)
})

it('row 40: keeps the limit by V8 where nobody tells what a thread has', async () => {
  const queue = randomUUID()
  const settings = { broker: redis.url, backend: redis.url, workerHardMemoryLimit: 96 * 1024 }
  const worker = new Worker(new URL('./apps/worker-in-thread.js', import.meta.url), {
    workerData: { settings, options: { queues: [queue] } },
  })
  const ended = once(worker, 'exit')
  const warnings: unknown[] = []
  worker.on('message', (warning) => warnings.push(warning))
  const app = builtApp(redis.url)
  const devouring = await app.sendTask('work.devour', ['arrays'], {}, { queue })
  await expect(devouring.get({ timeout: 25_000 })).rejects.toMatchObject({ excType: 'MemoryLimitExceeded' })
  worker.postMessage('stop')
  await ended
  const [first] = warnings
  if (isInspected)
    expect(first).toMatch(/^workerHardMemoryLimit cannot be enforced in full: before Node\.js 22\.16/)
  else expect(first).toBeUndefined()
})
