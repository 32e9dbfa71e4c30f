import process from 'node:process'
import { appendFileSync } from 'node:fs'
import { setInterval } from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { Buffer } from 'node:buffer'
import { Decimal, Uuid } from 'lovage'

/** Seven and a half minutes: for ever, as far as a test is concerned. */
const LONG_MS = 450_000

class OutOfStock extends RangeError {
  name = 'OutOfStock'
}

/** Tasks that show where they run, and that do what tasks should not do. */
export function registerWork(app) {
  app.task('work.where', () => ({ pid: process.pid, threadId }))
  let prepared
  app.on('workerProcessInit', async (child) => {
    await sleep(20)
    prepared = child
  })
  app.on('workerProcessShutdown', ({ id }) => {
    if (process.env.WORK_GONE) appendFileSync(process.env.WORK_GONE, `${id}\n`)
  })
  app.task('work.prepared', () => prepared)
  app.task('work.add', (x, y) => x + y)
  app.task('work.sleep', { bind: true }, async (task, marker, ms = LONG_MS) => {
    await task.updateState('AT_WORK', { pid: process.pid, marker })
    await sleep(ms, undefined, { signal: task.signal })
    return marker
  })
  const spin = async (task) => {
    await task.updateState('AT_WORK', { pid: process.pid })
    for (;;);
  }
  app.task('work.spin', { bind: true }, spin)
  app.task('work.spin_limited', { bind: true, timeLimit: 0.3 }, spin)
  app.task('work.until_aborted', { bind: true }, async ({ signal }) => {
    await sleep(LONG_MS, undefined, { signal }).catch(() => undefined)
    return signal.reason instanceof Error ? signal.reason.name : String(signal.reason)
  })
  app.task('work.soft', { bind: true }, async ({ signal }) => {
    await sleep(LONG_MS, undefined, { signal }).catch(() => signal.throwIfAborted())
  })
  app.task('work.exit', (code) => process.exit(code))
  app.task('work.exit_once', { rejectOnWorkerLost: false }, (code) => process.exit(code))
  app.task('work.exit_early', { acksLate: false }, (code) => process.exit(code))
  app.task('work.exit_at_first', { bind: true }, ({ request }) => {
    if (!request.isRedelivered) process.exit(3)
    return 'second'
  })
  const hoard = []
  app.task('work.hoard', (mib) => {
    for (let i = 0; i < mib; i++) hoard.push(new Array(2 ** 17).fill(i))
    return { pid: process.pid, threadId }
  })
  const bites = {
    arrays: () => new Array(2 ** 17).fill(0),
    objects: () => Array.from({ length: 2 ** 15 }, (_, i) => ({ i })),
    buffers: () => Buffer.alloc(2 ** 20, 1),
  }
  const devour = (kind) => {
    const taken = []
    // Without the limit, for which this is enough, it would go on for ever.
    while (taken.length < 600) taken.push(bites[kind]())
    for (;;);
  }
  app.task('work.devour', { autoretryFor: [Error] }, devour)
  app.task('work.devour_kept', { acksOnFailureOrTimeout: false }, devour)
  app.task('work.fill', (mib) => {
    // Sooner than anybody looks.
    const bytes = Buffer.allocUnsafeSlow(mib * 2 ** 20)
    for (let i = 0; i < bytes.length; i += 4096) bytes[i] = 1
    hoard.push(bytes)
  })
  app.task('work.hoard_later', () => {
    setInterval(() => hoard.push(Buffer.alloc(2 ** 23, 1)), 5)
    return { pid: process.pid, threadId }
  })
  app.task('work.values', () => ({
    price: new Decimal('12.340'),
    id: new Uuid('00112233-4455-6677-8899-aabbccddeeff'),
    at: new Date(0),
    big: 2n ** 70n,
    bytes: Buffer.from('ü'),
  }))
  app.task('work.unstorable', () => ({ a: () => 1 }))
  app.task('work.fail', () => {
    throw new OutOfStock('none left', { cause: new TypeError('no such thing') })
  })
  app.task('work.again', { bind: true, maxRetries: 2 }, (task, label) => {
    if (task.request.retries < 2)
      throw task.retry({ countdown: 0, args: [`${label}+`], cause: new OutOfStock('wait') })
    return [label, task.request.retries]
  })
  app.task('work.replace', { bind: true }, (task) => {
    throw task.replace(app.signature('work.add', { args: [40, 2] }))
  })
  app.task('work.calls', { bind: true }, async ({ request }) => {
    const { id } = await app.sendTask('work.request', [], {}, { queue: request.deliveryInfo.routingKey })
    return id
  })
  app.task('work.request', { bind: true }, ({ request }) => ({
    parentId: request.parentId,
    hostname: request.hostname,
    task: request.task,
  }))
  app.task('work.ignore', { bind: true }, (task) => {
    throw task.ignore()
  })
  app.task('work.reject', { bind: true }, (task) => {
    throw task.reject('not today')
  })
  app.task('work.log', { bind: true }, ({ log }, text) => {
    log.info({ text }, 'said by a task')
  })
}
