import { runsHere } from '../pool/pool.js'
import type { ControlledNode } from './node.js'

/** `pool` in the reply to `stats`: the keys of Celery's pools, of processes and of threads, whatever the kind. */
export function poolStats({ pool, settings, requests }: ControlledNode): Readonly<Record<string, unknown>> {
  const { kind, slots, children } = pool
  const { concurrency } = slots
  const started = Object.values(requests.totals()).reduce((sum, count) => sum + count, 0)
  return {
    implementation: `lovage:${kind}`,
    'max-concurrency': concurrency,
    // One for each slot, by which exporters count them.
    processes: kind === 'processes' ? children : Array<number>(concurrency).fill(process.pid),
    ...(kind === 'threads' && { threads: children.length }),
    'max-tasks-per-child': (runsHere(pool) ? undefined : settings.workerMaxTasksPerChild) ?? 'N/A',
    'put-guarded-by-semaphore': false,
    timeouts: [settings.taskSoftTimeLimit ?? 0, settings.taskTimeLimit ?? 0],
    writes: {
      ...shares(pool.writes ?? [started]),
      strategy: 'fair',
      inqueues: { total: concurrency, active: slots.active },
    },
  }
}

/** As Celery tells how evenly tasks are spread over children. */
function shares(writes: readonly number[]): Readonly<Record<string, unknown>> {
  const total = writes.reduce((sum, count) => sum + count, 0)
  const share = (count: number): string => (total === 0 ? 0 : count / total).toFixed(2)
  return {
    total,
    avg: share(total / writes.length),
    all: writes.map(share).join(', '),
    raw: writes.join(', '),
  }
}
