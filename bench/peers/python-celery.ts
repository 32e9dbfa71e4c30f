import path from 'node:path'
import { availableParallelism } from 'node:os'
import { runCommand } from '../../tests/setup/run-command.js'
import { celeryCompleted, celeryWaiting, someCeleryState } from './celery-counts.js'
import { lovageFill } from './lovage.js'
import type { Launch, Peer, Site, WorkerLine } from './peer.js'

const PROGRAMS = path.resolve(import.meta.dirname, '../programs')
const VERSIONS = 'import celery, sys; print(celery.__version__, "on Python", sys.version.split()[0])'

/** Celery itself, under an interpreter that can import it. */
export async function pythonCelery(site: Site, python: string): Promise<Peer> {
  const cores = availableParallelism()
  const launch = (args: readonly string[]): Launch => ({
    command: python,
    args,
    cwd: PROGRAMS,
    env: {
      BENCH_BROKER: site.brokerUrl,
      BENCH_BACKEND: site.backendUrl,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONUNBUFFERED: '1',
    },
  })
  const worker = (pool: string, concurrency: number, guessPerSecond: number): WorkerLine => {
    const flags = ['--loglevel', 'WARNING', '-O', 'fair']
    const quietly = ['--without-gossip', '--without-mingle', '--without-heartbeat']
    const sized = ['--pool', pool, '--concurrency', String(concurrency)]
    return {
      label: `Celery ${pool}`,
      settings: [
        {
          label: `concurrency ${concurrency}`,
          launch: launch(['-m', 'celery', '-A', 'python_celery', 'worker', ...flags, ...quietly, ...sized]),
        },
      ],
      guessPerSecond,
    }
  }
  const run = (role: string, count: number): Launch => launch(['python_celery.py', role, String(count)])
  const versions = await runCommand(python, ['-c', VERSIONS])
  return {
    name: 'Celery',
    version: versions.stdout.trim(),
    note: 'Acknowledges each message before it runs, its default (early ack); gossip, mingle and heartbeat are off.',
    workers: [worker('prefork', cores, 600), worker('threads', 10, 600)],
    producers: [
      {
        label: 'Celery `delay`, one at a time',
        pace: 'one at a time',
        launch: (count) => run('send', count),
        guessPerSecond: 1_000,
      },
    ],
    fill: (count) => lovageFill(site, count),
    roundTrip: {
      label: 'Celery client, Celery prefork worker',
      launch: (count) => run('round-trip', count),
    },
    canvas: { label: 'Celery prefork', launch: (kind, size) => run(kind, size) },
    waiting: celeryWaiting,
    completed: celeryCompleted,
    someState: someCeleryState,
  }
}
