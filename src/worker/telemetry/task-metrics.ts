import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { sentAtOf } from '../../serialization/timed-tag.js'
import type { TaskEnd, TaskMonitor } from '../monitors.js'
import type { TaskLookup } from '../../app/registered-task.js'
import type { TaskMessage } from '../../serialization/task-message.js'
import type { WorkerCounts } from '../../app/worker-options.js'

export interface TaskMetricsParts {
  readonly registry: Registry
  /** The label. */
  readonly hostname: string
  readonly tasks: TaskLookup
  readonly counts: () => WorkerCounts
  /** The broker's clock, in milliseconds; undefined while it is not known. */
  readonly now: () => number | undefined
}

/** Those of Prometheus's Python client, which celery-exporter uses. */
const RUNTIME_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** Those of celery-exporter. */
const WAIT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800]

/** Names of tasks that are not registered come from whoever sends messages: one label for all of them. */
const UNREGISTERED = '<unregistered>'

/** Metrics of a worker under the names and labels of celery-exporter, so that its dashboards show them. */
export function createTaskMetrics({ registry, hostname, tasks, counts, now }: TaskMetricsParts): TaskMonitor {
  const registers = [registry]
  const labelNames = ['name', 'hostname', 'queue_name'] as const
  const counter = (what: string, help: string): Counter<(typeof labelNames)[number]> =>
    new Counter({ name: `celery_task_${what}_total`, help, labelNames, registers })
  const received = counter('received', 'Tasks that were received.')
  const started = counter('started', 'Tasks that have begun.')
  const succeeded = counter('succeeded', 'Tasks that have succeeded.')
  const retried = counter('retried', 'Tasks that were retried.')
  const revoked = counter('revoked', 'Tasks that were revoked, or have expired.')
  const rejected = counter('rejected', 'Tasks whose message was rejected.')
  const failed = new Counter({
    name: 'celery_task_failed_total',
    help: 'Tasks that have failed, by the class of their exception.',
    labelNames: [...labelNames, 'exception'],
    registers,
  })
  const runtime = new Histogram({
    name: 'celery_task_runtime',
    help: 'Seconds that tasks ran which succeeded.',
    labelNames,
    buckets: RUNTIME_BUCKETS,
    registers,
  })
  const waited = new Histogram({
    name: 'celery_task_queue_wait_time',
    help: 'Seconds from when tasks were sent, or fell due, to when they began.',
    labelNames,
    buckets: WAIT_BUCKETS,
    registers,
  })
  new Gauge({
    name: 'celery_worker_up',
    help: 'Whether the worker runs.',
    labelNames: ['hostname'],
    registers,
  }).set({ hostname }, 1)
  new Gauge({
    name: 'celery_worker_tasks_active',
    help: 'Tasks that run.',
    labelNames: ['hostname'],
    registers,
    collect() {
      this.set({ hostname }, counts().active)
    },
  })
  new Gauge({
    name: 'lovage_worker_tasks_reserved',
    help: 'Tasks that were claimed and have not begun.',
    registers,
    collect() {
      this.set(counts().reserved)
    },
  })
  new Gauge({
    name: 'lovage_worker_tasks_lingering',
    help: 'Tasks that were ended, by a hard time limit or terminated, while their functions go on.',
    registers,
    collect() {
      this.set(counts().lingering)
    },
  })

  const labelsOf = ({ task, routingKey }: TaskMessage): Record<(typeof labelNames)[number], string> => ({
    name: tasks.get(task) === undefined ? UNREGISTERED : task,
    hostname,
    queue_name: routingKey,
  })
  const known = new Set<string>()
  /** All counters of a task begin at 0, so that a first failure is an increase. */
  const makeKnown = (labels: Record<(typeof labelNames)[number], string>): void => {
    const key = `${labels.name}\n${labels.queue_name}`
    if (known.has(key)) return
    known.add(key)
    for (const each of [received, started, succeeded, retried, revoked, rejected]) each.inc(labels, 0)
  }
  const count = (message: TaskMessage, end: TaskEnd): void => {
    const labels = labelsOf(message)
    makeKnown(labels)
    switch (end.kind) {
      case 'succeeded':
        succeeded.inc(labels)
        runtime.observe(labels, end.runtimeSeconds)
        return
      case 'failed':
        failed.inc({ ...labels, exception: end.exception?.exc_type ?? 'UnknownException' })
        return
      case 'retried':
        retried.inc(labels)
        return
      case 'revoked':
        revoked.inc(labels)
        return
      case 'rejected':
        rejected.inc(labels)
    }
  }
  return {
    received(message) {
      const labels = labelsOf(message)
      makeKnown(labels)
      received.inc(labels)
    },
    started(message) {
      const labels = labelsOf(message)
      started.inc(labels)
      const ms = waitMs(message, now())
      if (ms !== undefined) waited.observe(labels, ms / 1000)
    },
    ended: (message, end) => () => count(message, end),
  }
}

/** Undefined where it is not known: of a message of another client, or one that has run before. */
function waitMs(
  { deliveryTag, eta, isRedelivered }: TaskMessage,
  now: number | undefined,
): number | undefined {
  const sentAt = isRedelivered ? undefined : sentAtOf(deliveryTag)
  if (sentAt === undefined || now === undefined) return undefined
  // The ETA is by another clock.
  return Math.max(0, now - Math.max(sentAt, eta?.getTime() ?? 0))
}
