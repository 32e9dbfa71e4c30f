import { InvalidArgumentError as UsageError, Option, type Command } from 'commander'
import { addLogLevelFlag } from './log-level.js'
import type { WorkerOptions } from '../app/worker-options.js'

interface WorkerFlags {
  readonly queues?: readonly string[]
  readonly concurrency?: number
  readonly pool?: string
  readonly hostname?: string
  readonly prefetchMultiplier?: number
  readonly taskEvents?: boolean
  readonly events?: boolean
  readonly withoutHeartbeat?: boolean
  readonly heartbeatInterval?: number
}

/** Celery's pools, and what this runtime has for them. */
const POOLS: Readonly<Record<string, 'async' | 'refused'>> = {
  async: 'async',
  gevent: 'async',
  eventlet: 'async',
  threads: 'refused',
  processes: 'refused',
  prefork: 'refused',
  solo: 'async',
}

/** The flags of `celery worker` that this runtime has, by the same names and letters. */
export function addWorkerFlags(command: Command): Command {
  return addLogLevelFlag(command)
    .option('-Q, --queues <names>', 'queues to consume, separated by commas', readNames)
    .option('-c, --concurrency <n>', 'how many tasks run at once', readCount)
    .option('-P, --pool <pool>', 'async: on the event loop; solo: one at a time', readPool)
    .option('-n, --hostname <name>', 'node name; %h is the host, %n its first part, %d the rest')
    .option(
      '--prefetch-multiplier <n>',
      'messages held for each slot; 0: no limit; by default what begins soon',
      readMultiplier,
    )
    .option('-E, --task-events', 'send events of tasks, for monitors')
    .addOption(new Option('--events', 'the same').hideHelp())
    .option('--without-gossip', 'accepted for Celery’s sake: there is none')
    .option('--without-mingle', 'accepted for Celery’s sake: there is none')
    .option('--without-heartbeat', 'do not tell monitors that it is alive')
    .option('--heartbeat-interval <seconds>', 'between two heartbeats (default: 2)', readSeconds)
}

export function readWorkerFlags(command: Command): WorkerOptions {
  const flags = command.opts<WorkerFlags>()
  const { queues, concurrency, pool, hostname, prefetchMultiplier } = flags
  const heartbeatInterval = flags.withoutHeartbeat ? 0 : flags.heartbeatInterval
  const slots = pool === 'solo' ? 1 : concurrency
  return {
    ...(queues === undefined ? {} : { queues }),
    ...(slots === undefined ? {} : { concurrency: slots }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(prefetchMultiplier === undefined ? {} : { prefetchMultiplier }),
    ...(flags.taskEvents || flags.events ? { taskEvents: true } : {}),
    ...(heartbeatInterval === undefined ? {} : { heartbeatInterval }),
  }
}

/** Names separated by commas. */
export function readNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new UsageError('Expected names separated by commas.')
  return names
}

function readCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new UsageError('Expected a whole number from 1.')
  return count
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0) || !Number.isFinite(seconds)) throw new UsageError('Expected seconds, more than 0.')
  return seconds
}

function readMultiplier(text: string): number {
  const multiplier = Number(text)
  if (!Number.isInteger(multiplier) || multiplier < 0) throw new UsageError('Expected a whole number from 0.')
  return multiplier
}

function readPool(text: string): string {
  const kind = POOLS[text]
  if (kind === undefined) throw new UsageError(`Expected one of ${Object.keys(POOLS).join(', ')}.`)
  if (kind === 'refused')
    throw new UsageError(`This version runs tasks on the event loop only: use async or solo.`)
  return text
}
