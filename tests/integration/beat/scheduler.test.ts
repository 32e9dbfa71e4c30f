import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readBeatSchedule } from '../../../src/beat/entry.js'
import { redisEntryStore } from '../../../src/beat/redis-entry-store.js'
import { startScheduler, type Scheduler } from '../../../src/beat/scheduler.js'
import { eventually } from '../../support/eventually.js'
import { redisOfFile } from './redis-of-file.js'
import { type RunningProcess, startProcess } from '../../support/start-process.js'

const LEASE_MS = 600

interface Sent {
  readonly pid: number
  readonly dueAt: string
  readonly taskId: string
}

const server = redisOfFile()

async function sentTo(prefix: string): Promise<Sent[]> {
  const lines = await server.redis.lrange(`${prefix}sent`, 0, -1)
  return lines.map((line) => JSON.parse(line) as Sent)
}

describe('beats in processes of their own', () => {
  function startBeat(prefix: string): RunningProcess {
    const program = path.join(import.meta.dirname, 'beat-process.ts')
    return startProcess(
      process.execPath,
      ['--import', 'tsx', program, server.url, prefix, String(LEASE_MS)],
      {
        cwd: path.resolve(import.meta.dirname, '../../..'),
      },
    )
  }

  /** The beat that sent last, once it has sent `sends` times and all it sent is confirmed. */
  async function leader(
    prefix: string,
    beats: readonly RunningProcess[],
    sends: number,
  ): Promise<RunningProcess> {
    return eventually(async () => {
      const sent = await sentTo(prefix)
      const pid = sent.at(-1)?.pid
      const beat = beats.find((beat) => beat.pid === pid)
      const { tick = 'unsentTick' } = await server.redis.hgetall(`${prefix}lovage.beat.entries`)
      if (beat === undefined || tick.includes('unsentTick')) throw new Error(`${pid} sent last`)
      if (sent.filter((one) => one.pid === pid).length < sends) throw new Error(`${pid} has not sent enough`)
      return beat
    })
  }

  it('send each tick once, also when leaders are killed, frozen and woken', async () => {
    const prefix = server.ownPrefix()
    const beats = [startBeat(prefix), startBeat(prefix), startBeat(prefix)]

    const killed = await leader(prefix, beats, 3)
    await killed.kill()
    const left = beats.filter((beat) => beat !== killed)

    const frozen = await leader(prefix, left, 3)
    frozen.signal('SIGSTOP')
    const sentByFrozen = (await sentTo(prefix)).filter(({ pid }) => pid === frozen.pid)
    const last = left.filter((beat) => beat !== frozen)

    const successor = await leader(prefix, last, 3)
    frozen.signal('SIGCONT')
    await frozen.waitForLine(/another beat leads/)
    await leader(prefix, last, 6)

    await successor.stop()
    await leader(prefix, [frozen], sentByFrozen.length + 2)
    await frozen.stop()

    const sent = await sentTo(prefix)
    expect(sent.map(({ dueAt }) => dueAt)).toEqual([...new Set(sent.map(({ dueAt }) => dueAt))].sort())
    expect(new Set(sent.map(({ taskId }) => taskId)).size).toBe(sent.length)
    const phases = new Set(sent.map(({ dueAt }) => Date.parse(dueAt) % 400))
    expect(phases.size).toBe(1)
  })
})

describe('a scheduler on Redis', () => {
  function start(prefix: string, sent: string[], seconds: number): Scheduler {
    const scheduler = startScheduler({
      entries: readBeatSchedule({ tick: { task: 'demo.tick', schedule: seconds } }),
      store: redisEntryStore(server.redis, { prefix }),
      send: (_, dueAt) => {
        sent.push(dueAt.toISOString())
        return Promise.resolve()
      },
      leaseMs: LEASE_MS,
    })
    onTestFinished(() => scheduler.stop())
    return scheduler
  }

  it('goes on where the one before it was', async () => {
    const prefix = server.ownPrefix()
    const sent: string[] = []
    const first = start(prefix, sent, 0.2)
    await eventually(() => sent.length >= 2)
    await first.stop()
    const [entry] = first.entries()
    const lastRunAt = entry?.lastRunAt?.getTime() ?? NaN

    const second = start(prefix, sent, 0.2)
    const before = sent.length
    await eventually(() => sent.length > before)
    await second.stop()
    expect(sent[before]).toBe(new Date(lastRunAt + 200).toISOString())
    expect(second.entries()[0]?.totalRunCount).toBe(sent.length)
  })

  it('gives its lease back when it stops', async () => {
    const prefix = server.ownPrefix()
    const scheduler = start(prefix, [], 60)
    await eventually(() => scheduler.isLeading())
    expect(await server.redis.exists(`${prefix}lovage.beat.lock`)).toBe(1)
    await scheduler.stop()
    expect(await server.redis.exists(`${prefix}lovage.beat.lock`)).toBe(0)
  })

  it('goes on when its lease was deleted', async () => {
    const prefix = server.ownPrefix()
    const sent: string[] = []
    start(prefix, sent, 0.2)
    await eventually(() => sent.length >= 1)
    await server.redis.del(`${prefix}lovage.beat.lock`)
    const before = sent.length
    await eventually(() => sent.length >= before + 2)
    expect(new Set(sent).size).toBe(sent.length)
  })
})
