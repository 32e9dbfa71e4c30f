/**
 * What SIGKILL costs: the same tasks worked by a Lovage and by a Python Celery worker (late acknowledgement), which
 * are killed again and again at random moments. Prints what was lost, late and repeated.
 *
 *     npm run bench:kill [-- tasks, default 3000] [kills, default 10]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { obtainCelery } from '../tests/setup/celery.js'
import { startLovageWorker } from '../tests/support/lovage-worker.js'
import { startPythonWorker } from '../tests/support/python-worker.js'
import { startRedis } from '../tests/support/redis-server.js'
import { Celery } from '../src/index.js'
import { table } from './table.js'

interface Killable {
  kill(): Promise<unknown>
}

interface Contender {
  readonly name: string
  readonly startWorker: (url: string) => Promise<Killable>
}

interface Outcome {
  readonly withResult: number
  /** Nowhere in Redis any more. */
  readonly lost: number
  /** Still in `unacked`: they run again after the visibility timeout, an hour by default. */
  readonly late: number
  readonly repeated: number
  readonly secondsAfterLastKill: number
}

/** How long nothing may happen before it is said that nothing will. */
const QUIET_MS = 20_000
const RESULT_KEY = 'celery-task-meta-'

async function measure({ startWorker }: Contender, tasks: number, kills: number): Promise<Outcome> {
  await using server = await startRedis()
  const app = new Celery('bench', { broker: server.url })
  const notes = new Redis(server.url)
  try {
    const sent = Array.from({ length: tasks }, () => app.sendTask('pytasks.count', ['runs']))
    const ids = (await Promise.all(sent)).map(({ id }) => id)
    for (let kill = 0; kill < kills; kill += 1) {
      const worker = await startWorker(server.url)
      const before = await notes.hlen('runs')
      while ((await notes.hlen('runs')) < before + 20) await sleep(5)
      await sleep(Math.random() * 100)
      await worker.kill()
    }
    const startedAt = performance.now()
    const last = await startWorker(server.url)
    const finishedAt = await untilQuiet(notes, ids)
    await last.kill()

    const open = ids.filter((_, i) => !finishedAt.done[i])
    const held = JSON.stringify(await notes.hvals('unacked'))
    const late = open.filter((id) => held.includes(id)).length
    const runs = Object.values(await notes.hgetall('runs'))
    return {
      withResult: tasks - open.length,
      lost: open.length - late,
      late,
      repeated: runs.filter((count) => count !== '1').length,
      secondsAfterLastKill: (finishedAt.atMs - startedAt) / 1000,
    }
  } finally {
    notes.disconnect()
    await app.close()
  }
}

async function untilQuiet(
  notes: Redis,
  ids: readonly string[],
): Promise<{ readonly done: readonly boolean[]; readonly atMs: number }> {
  let [atMs, count] = [performance.now(), -1]
  for (;;) {
    const done = (await notes.mget(ids.map((id) => RESULT_KEY + id))).map((result) => result !== null)
    const finished = done.filter(Boolean).length
    if (finished !== count) [atMs, count] = [performance.now(), finished]
    if (finished === ids.length || performance.now() - atMs > QUIET_MS) return { done, atMs }
    await sleep(100)
  }
}

const [tasks = 3000, kills = 10] = process.argv.slice(2).map(Number)
const { env } = await obtainCelery()
const python = env['CELERY_PYTHON']
if (python === undefined) throw new Error(env['TEST_WITHOUT_CELERY'] ?? 'no Celery')
const contenders: readonly Contender[] = [
  {
    name: 'Lovage, lease 2 s',
    startWorker: (url) =>
      startLovageWorker({ broker: url, backend: url, workerLease: 2 }, { concurrency: 8 }),
  },
  {
    name: 'Celery prefork, acks_late',
    startWorker: (url) => startPythonWorker({ broker: url, python, concurrency: 8 }),
  },
]
const rows: string[][] = []
for (const contender of contenders) {
  console.error(`bench: ${contender.name}: ${tasks} tasks, ${kills} kills`)
  const outcome = await measure(contender, tasks, kills)
  const { withResult, lost, late, repeated, secondsAfterLastKill } = outcome
  rows.push([
    contender.name,
    ...[withResult, lost, late, repeated].map(String),
    secondsAfterLastKill.toFixed(1),
  ])
}
const header = [
  '',
  'with a result',
  'lost',
  'late by the visibility timeout',
  'ran again',
  's to the last result',
]
console.log(table(header, rows).join('\n'))
