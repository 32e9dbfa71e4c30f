import { setTimeout as sleep } from 'node:timers/promises'
import { processUsage } from './process-usage.js'
import { redisUsage } from './redis-usage.js'
import { start } from './start.js'
import type { RunningProcess } from '../tests/support/start-process.js'
import type { Count, Launch, Stores } from './peers/peer.js'

/** How fast a process moved a count in Redis, and what it cost. */
export interface Throughput {
  readonly perSecond: number
  /** Processor time of the process and its children. */
  readonly cpuMicrosPerTask: number
  /** The most that was seen. */
  readonly memoryMegabytes: number
  readonly redisCpuMicrosPerTask: number
  readonly redisCommandsPerTask: number
  /** Both ways. */
  readonly redisBytesPerTask: number
}

export interface ThroughputOptions {
  /** Ends the process, and with it the measurement. */
  readonly signal?: AbortSignal
  /** @default 'no more are to be done' */
  readonly surplus?: 'no more are to be done' | 'more may be done'
}

const POLL_MS = 20
/** Reading memory stops a process for as long as it takes. */
const POLLS_PER_MEMORY = 25
/** Without any progress for so long, something is broken. */
const STUCK_MS = 30_000

/**
 * Start a process and watch the count that it works on, from when it first moves until it reaches the target.
 * What comes before, the start of the process and its connections, is not measured. The process is killed then.
 *
 * @throws Error with the process's output when the count stops short of the target, or passes it where it must not.
 */
export async function measureThroughput(
  launch: Launch,
  count: () => Promise<number>,
  target: number,
  stores: Stores,
  { signal, surplus = 'no more are to be done' }: ThroughputOptions = {},
): Promise<Throughput> {
  await using running = start(launch, signal)
  const begin = await untilCount(running, count, (counted) => counted > 0)
  const [processBefore, redisBefore] = await Promise.all([
    processUsage(running.pid),
    redisUsage(stores.broker),
  ])
  let memoryMegabytes = processBefore.memoryMegabytes
  const end = await untilCount(
    running,
    count,
    (counted) => counted >= target,
    async () => {
      memoryMegabytes = Math.max(memoryMegabytes, (await processUsage(running.pid)).memoryMegabytes)
    },
  )
  const [processAfter, redisAfter] = await Promise.all([processUsage(running.pid), redisUsage(stores.broker)])
  if (surplus === 'no more are to be done' && end.counted > target)
    throw new Error(`${target} tasks became ${end.counted}: ${shown(launch)}`)

  const tasks = end.counted - begin.counted
  const micros = (before: number, after: number): number => ((after - before) * 1_000_000) / tasks
  const bytesBefore = redisBefore.bytesIn + redisBefore.bytesOut
  const bytesAfter = redisAfter.bytesIn + redisAfter.bytesOut
  return {
    perSecond: (tasks * 1000) / (end.atMs - begin.atMs),
    cpuMicrosPerTask: micros(processBefore.cpuSeconds, processAfter.cpuSeconds),
    memoryMegabytes: Math.max(memoryMegabytes, processAfter.memoryMegabytes),
    redisCpuMicrosPerTask: micros(redisBefore.cpuSeconds, redisAfter.cpuSeconds),
    redisCommandsPerTask: (redisAfter.commands - redisBefore.commands - end.polls) / tasks,
    redisBytesPerTask: (bytesAfter - bytesBefore) / tasks,
  }
}

/** Run a program that moves a count to the target, without measuring. */
export async function runUntil(
  launch: Launch,
  count: () => Promise<number>,
  target: number,
  signal: AbortSignal,
): Promise<void> {
  await using running = start(launch, signal)
  await untilCount(running, count, (counted) => counted >= target)
}

/** A {@link Count} of these stores. */
export function countIn(stores: Stores, count: Count): () => Promise<number> {
  return () => count(stores)
}

interface Reached {
  readonly counted: number
  readonly atMs: number
  readonly polls: number
}

async function untilCount(
  running: RunningProcess,
  count: () => Promise<number>,
  isReached: (counted: number) => boolean,
  nowAndThen: () => Promise<void> = () => Promise.resolve(),
): Promise<Reached> {
  let last = { counted: -1, atMs: performance.now() }
  let hasEnded = false
  void running.exit.then(() => (hasEnded = true))
  for (let polls = 1; ; polls += 1) {
    const counted = await count()
    const atMs = performance.now()
    if (isReached(counted)) return { counted, atMs, polls }
    if (counted !== last.counted) last = { counted, atMs }
    if (hasEnded || atMs - last.atMs > STUCK_MS) {
      const what = hasEnded ? 'ended' : 'got stuck'
      throw new Error(`a process ${what} at a count of ${counted}; it printed:\n${running.output()}`)
    }
    if (polls % POLLS_PER_MEMORY === 0) await nowAndThen()
    await sleep(POLL_MS)
  }
}

const shown = ({ command, args }: Launch): string => [command, ...args].join(' ')
