import { pythonReprArgs, pythonReprKwargs } from '../../serialization/python-repr.js'
import { poolStats } from './describe-pool.js'
import { snakeCase } from '../../app/settings-info.js'
import type { ControlledNode } from './node.js'
import type { RegisteredTask } from '../../app/registered-task.js'
import type { TaskInfo, WorkerStats } from '../../control/replies.js'
import type { TaskMessage } from '../../serialization/task-message.js'

export interface TaskProgress {
  /** Unix milliseconds; undefined before it has started. */
  readonly startedAt?: number | undefined
  readonly isAcknowledged?: boolean
  readonly pid?: number | undefined
}

/** Wire protocol, section 15.5. @param safe - Arguments as text. */
export function taskInfo(
  message: TaskMessage,
  hostname: string,
  { startedAt, isAcknowledged = false, pid }: TaskProgress,
  safe = false,
): TaskInfo {
  const { id, task, shadow, args, kwargs, argsrepr, kwargsrepr } = message
  return {
    id,
    name: shadow ?? task,
    args: safe ? (argsrepr ?? pythonReprArgs(args)) : args,
    kwargs: safe ? (kwargsrepr ?? pythonReprKwargs(kwargs)) : kwargs,
    type: task,
    hostname,
    time_start: startedAt === undefined ? null : startedAt / 1000,
    acknowledged: isAcknowledged,
    delivery_info: {
      exchange: message.exchange,
      routing_key: message.routingKey,
      priority: message.priority,
      redelivered: message.isRedelivered,
    },
    worker_pid: pid ?? null,
  }
}

/** A queue as kombu describes it. */
export function queueInfo(queue: string): Readonly<Record<string, unknown>> {
  return {
    name: queue,
    exchange: {
      name: queue,
      type: 'direct',
      arguments: null,
      durable: true,
      passive: false,
      auto_delete: false,
      delivery_mode: null,
      no_declare: false,
    },
    routing_key: queue,
    queue_arguments: null,
    binding_arguments: null,
    consumer_arguments: null,
    durable: true,
    exclusive: false,
    auto_delete: false,
    no_ack: false,
    alias: null,
    bindings: [],
    no_declare: null,
    expires: null,
    message_ttl: null,
    max_length: null,
    max_length_bytes: null,
    max_priority: null,
  }
}

export function statsOf(node: ControlledNode): WorkerStats {
  const { pool, requests, autoscale } = node
  return {
    total: requests.totals(),
    pid: process.pid,
    clock: String(node.logicalClock.value),
    uptime: Math.round((Date.now() - node.startedAt) / 1000),
    pool: poolStats(node),
    broker: node.broker,
    prefetch_count: node.prefetchCount(),
    rusage: resourceUsage(),
    ...(autoscale && {
      autoscaler: { ...autoscale({}), current: pool.slots.concurrency, qty: pool.slots.reserved },
    }),
  }
}

/** As Python's `resource.getrusage` has it. */
function resourceUsage(): Readonly<Record<string, number>> {
  const usage = process.resourceUsage()
  return {
    utime: usage.userCPUTime / 1e6,
    stime: usage.systemCPUTime / 1e6,
    maxrss: usage.maxRSS,
    ixrss: usage.sharedMemorySize,
    idrss: usage.unsharedDataSize,
    isrss: usage.unsharedStackSize,
    minflt: usage.minorPageFault,
    majflt: usage.majorPageFault,
    nswap: usage.swappedOut,
    inblock: usage.fsRead,
    oublock: usage.fsWrite,
    msgsnd: usage.ipcSent,
    msgrcv: usage.ipcReceived,
    nsignals: usage.signalsCount,
    nvcsw: usage.voluntaryContextSwitches,
    nivcsw: usage.involuntaryContextSwitches,
  }
}

/** `shop.add [max_retries=3]`: a task's name with some of its attributes, by Celery's names. */
export function describeTask({ name, options }: RegisteredTask, attributes: readonly string[]): string {
  const bySnakeCase = new Map(
    Object.entries(options).map(([key, value]) => [snakeCase(key), value as unknown]),
  )
  const fields = attributes.flatMap((attribute) => {
    const value = bySnakeCase.get(attribute)
    return value === undefined || value === null ? [] : [`${attribute}=${pythonText(value)}`]
  })
  return fields.length === 0 ? name : `${name} [${fields.join(' ')}]`
}

function pythonText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
