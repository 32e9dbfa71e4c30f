// lovage-events.js toggle BROKER BACKEND concurrency tasks sliceMs: works off its queue, with and without events in turns
// lovage-events.js listen BROKER: hears the events of tasks, as a monitor does
// lovage-events.js look: how long it takes a worker to see that nobody watches
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type * as Lovage from '../../src/index.js'
import type * as MonitorsModule from '../../src/worker/monitors.js'

const built = (module: string): string => new URL(`../../dist/${module}.js`, import.meta.url).href
const { Celery } = (await import(built('index'))) as typeof Lovage

/** After each switch: what was under way before is not to count for what comes now. */
const SETTLE_MS = 10
const [LOOKS, ROUNDS] = [2_000_000, 9]

const [role = '', broker = '', backend = '', ...sizes] = process.argv.slice(2)

async function toggle(concurrency: number, tasks: number, sliceMs: number): Promise<void> {
  const app = new Celery('bench', { broker, backend })
  let finished = 0
  app.task('bench.echo', (number: number) => {
    finished += 1
    return number
  })
  const worker = await app.startWorker({ concurrency })
  const slices = []
  for (let isOn = false; ; isOn = !isOn) {
    if (isOn) worker.enableEvents()
    else worker.disableEvents()
    await sleep(SETTLE_MS)
    const [begun, atMs, cpu] = [finished, performance.now(), process.cpuUsage()]
    await sleep(sliceMs)
    const { user, system } = process.cpuUsage(cpu)
    const slice = { tasks: finished - begun, ms: performance.now() - atMs, cpuMs: (user + system) / 1000 }
    // The queue may have been empty for a part of the last one, and before the first one the worker was idle.
    if (finished >= tasks) break
    if (begun > 0) slices.push({ isOn, ...slice })
  }
  console.log(JSON.stringify({ slices }))
}

async function listen(): Promise<void> {
  const redis = new Redis(broker)
  redis.once('pmessage', () => console.log('heard'))
  await redis.psubscribe('*celeryev/task.*')
  console.log('listening')
}

async function look(): Promise<void> {
  const { createMonitors } = (await import(built('worker/monitors'))) as typeof MonitorsModule
  const monitors = createMonitors()
  const message = {} as Parameters<MonitorsModule.TaskMonitor['received']>[0]
  // A call that may be one of many is not seen through: without it, the look might be taken out of the loop.
  const steps: readonly ((n: number) => number)[] = [
    (n) => n ^ 1,
    (n) => n ^ 2,
    (n) => n ^ 3,
    (n) => n ^ 4,
    (n) => n ^ 5,
    (n) => n ^ 6,
    (n) => n ^ 7,
    (n) => n ^ 8,
  ]
  let at = 0
  const withLooks = (): void => {
    for (let i = 0; i < LOOKS; i += 1) {
      monitors.current?.received(message)
      at = steps[at & 7]?.(i) ?? 0
    }
  }
  const withoutLooks = (): void => {
    for (let i = 0; i < LOOKS; i += 1) at = steps[at & 7]?.(i) ?? 0
  }
  const nsPerLoop = (loop: () => void): number => {
    const start = performance.now()
    loop()
    return ((performance.now() - start) * 1_000_000) / LOOKS
  }
  const took = Array.from({ length: ROUNDS }, () => nsPerLoop(withLooks) - nsPerLoop(withoutLooks))
  console.log(JSON.stringify({ lookNs: took.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] }))
}

switch (role) {
  case 'toggle': {
    const [concurrency = 1, tasks = 0, sliceMs = 0] = sizes.map(Number)
    await toggle(concurrency, tasks, sliceMs)
    break
  }
  case 'listen':
    await listen()
    break
  case 'look':
    await look()
    break
  default:
    throw new Error(`unknown role ${role}`)
}
