import { InvalidArgumentError, Option, type Command } from 'commander'
import { UsageError } from './errors.js'
import { addLogLevelFlag } from './log-level.js'
import { DAEMON_REFUSALS, refuseFlags, WORKER_REFUSALS } from './refusals.js'
import { POOL_NAMES, poolKind } from '../app/pool-kinds.js'
import { readSettingArguments } from './setting-arguments.js'
import type { Autoscale, PoolKind, WorkerOptions } from '../app/worker-options.js'
import type { CelerySettings } from '../app/celery-settings.js'

interface WorkerFlags {
  readonly queues?: readonly string[]
  readonly excludeQueues?: readonly string[]
  readonly concurrency?: number
  readonly autoscale?: Autoscale
  readonly pool?: PoolKind
  readonly hostname?: string
  readonly prefetchMultiplier?: number
  readonly taskEvents?: boolean
  readonly events?: boolean
  readonly withoutHeartbeat?: boolean
  readonly withoutMingle?: boolean
  readonly withGossip?: boolean
  readonly withoutGossip?: boolean
  readonly statedb?: string
  readonly heartbeatInterval?: number
  readonly httpPort?: number
  readonly httpHost?: string
  readonly genericHostnameWorkerTaskMetric?: boolean
  readonly timeLimit?: number
  readonly softTimeLimit?: number
  readonly maxTasksPerChild?: number
  readonly maxMemoryPerChild?: number
  readonly disablePrefetch?: boolean
  readonly purge?: boolean
  readonly discard?: boolean
  readonly beat?: boolean
  readonly pidfile?: string
  readonly quiet?: boolean
  readonly reload?: boolean
}

/** The flags of `celery worker` that this runtime has, by the same names and letters. */
export function addWorkerFlags(command: Command): Command {
  return refuseFlags(addLogLevelFlag(command), DAEMON_REFUSALS, WORKER_REFUSALS)
    .argument('[settings...]', 'behind --: settings, such as worker.prefetch_multiplier=1')
    .option('-Q, --queues <names>', 'queues to consume, separated by commas', readNames)
    .option('-X, --exclude-queues <names>', 'queues not to consume after all', readNames)
    .option('-I, --include <modules>', 'more modules to load, separated by commas', readNames)
    .option('--purge', 'drop what waits in its queues before it begins')
    .addOption(new Option('--discard', 'the same').hideHelp())
    .option('-c, --concurrency <n>', 'how many tasks run at once', readCount)
    .option(
      '-P, --pool <pool>',
      'where tasks run: async, on the event loop; solo, there, one at a time; threads or processes, one at a time in each',
      readPool,
    )
    .option(
      '--autoscale <max,min>',
      'so many tasks at once as there is work for, within these',
      readAutoscale,
    )
    .option('--time-limit <seconds>', 'after which a task is ended, and fails', readSeconds)
    .option('--soft-time-limit <seconds>', 'after which a task’s signal aborts', readSeconds)
    .option('--max-tasks-per-child <n>', 'tasks after which a thread or process is replaced', readCount)
    .option('--max-memory-per-child <KiB>', 'memory after which it is, when its task has ended', readCount)
    .option('-n, --hostname <name>', 'node name; %h is the host, %n its first part, %d the rest', readName)
    .option(
      '--prefetch-multiplier <n>',
      'messages held for each slot; 0: no limit; by default what begins soon',
      readMultiplier,
    )
    .option('--disable-prefetch', 'hold no more messages than run: --prefetch-multiplier 1')
    .addOption(
      new Option('-O, --optimization <profile>', 'accepted for Celery’s sake: it is fair always')
        .choices(['default', 'fair'])
        .hideHelp(),
    )
    .option('-E, --task-events', 'send events of tasks, for monitors')
    .addOption(new Option('--events', 'the same').hideHelp())
    .option('--with-gossip', 'log which other workers join, leave and are lost')
    .option('--without-gossip', 'do not, which is the default')
    .option('--without-mingle', 'do not ask other workers at the start what is revoked')
    .option('-S, --statedb <file>', 'keep what is revoked in this file between runs; %n is the node’s name')
    .option('--without-heartbeat', 'do not tell monitors that it is alive')
    .option('--heartbeat-interval <seconds>', 'between two heartbeats (default: 2)', readSeconds)
    .option('-B, --beat', 'send periodic tasks as well')
    .addOption(new Option('-s, --schedule <file>', 'as of beat').hideHelp())
    .addOption(new Option('--schedule-filename <file>', 'the same').hideHelp())
    .option('--pidfile <file>', 'keep the process’s id in this file; %n is the node’s name')
    .option('--reload', 'for development: restart when a source file changes that it has loaded')
    .option('--http-port <n>', 'serve metrics and probes on this port', readPort)
    .option('--http-host <address>', 'that the port is opened on (default: 127.0.0.1)')
    .option(
      '--generic-hostname-worker-task-metric',
      'have metrics not tell this host from others, which may come and go',
    )
}

export interface ReadWorkerFlags {
  /** Of the queues that it would consume. */
  readonly excludeQueues: readonly string[]
  readonly purges: boolean
  readonly hasBeat: boolean
  readonly isQuiet: boolean
  readonly reloads: boolean
  readonly pidfile: string | undefined
  readonly options: WorkerOptions
  /** Those that Celery's flags stand for. */
  readonly settings: CelerySettings
}

/** @param words - Those behind `--`. @throws UsageError */
export function readWorkerFlags(command: Command, words: readonly string[]): ReadWorkerFlags {
  const flags = command.opts<WorkerFlags>()
  const heartbeatInterval = flags.withoutHeartbeat ? 0 : flags.heartbeatInterval
  const taskEvents = flags.taskEvents || flags.events || undefined
  const { queues, concurrency, autoscale, pool, hostname } = flags
  const prefetchMultiplier = flags.disablePrefetch ? 1 : flags.prefetchMultiplier
  return {
    excludeQueues: flags.excludeQueues ?? [],
    purges: flags.purge || flags.discard || false,
    hasBeat: flags.beat ?? false,
    isQuiet: command.optsWithGlobals<WorkerFlags>().quiet ?? false,
    pidfile: flags.pidfile,
    reloads: flags.reload ?? false,
    options: defined({
      queues,
      concurrency,
      autoscale,
      pool,
      hostname,
      prefetchMultiplier,
      taskEvents,
      heartbeatInterval,
      httpPort: flags.httpPort,
      httpHost: flags.httpHost,
      genericHostname: flags.genericHostnameWorkerTaskMetric,
      mingle: flags.withoutMingle ? false : undefined,
      gossip: flags.withGossip === true && flags.withoutGossip !== true,
    }),
    settings: {
      ...readSettingArguments(words, 'worker'),
      ...defined({
        workerStateDb: flags.statedb,
        taskTimeLimit: flags.timeLimit,
        taskSoftTimeLimit: flags.softTimeLimit,
        workerMaxTasksPerChild: flags.maxTasksPerChild,
        workerMaxMemoryPerChild: flags.maxMemoryPerChild,
      }),
    },
  }
}

type Defined<Values> = { [Name in keyof Values]?: Exclude<Values[Name], undefined> }

function defined<Values extends object>(values: Values): Defined<Values> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Defined<Values>
}

/** Names separated by commas. */
export function readNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new InvalidArgumentError('Expected names separated by commas.')
  return names
}

function readName(text: string): string {
  if (text.trim() === '' || text.startsWith('@'))
    throw new InvalidArgumentError('Expected a name, such as reports@%h.')
  return text
}

/** The names that are not excluded. @throws UsageError where none is left. */
export function without(names: readonly string[], excluded: readonly string[]): readonly string[] {
  const left = names.filter((name) => !excluded.includes(name))
  if (left.length === 0) throw new UsageError('-X excludes all queues: name some by -Q')
  return left
}

function readCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Expected a whole number from 1.')
  return count
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0) || !Number.isFinite(seconds))
    throw new InvalidArgumentError('Expected seconds, more than 0.')
  return seconds
}

function readPort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('Expected a port, from 0 to 65535.')
  return port
}

function readMultiplier(text: string): number {
  const multiplier = Number(text)
  if (!Number.isInteger(multiplier) || multiplier < 0)
    throw new InvalidArgumentError('Expected a whole number from 0.')
  return multiplier
}

function readPool(text: string): PoolKind {
  const kind = poolKind(text)
  if (kind === undefined) throw new InvalidArgumentError(`Expected one of ${POOL_NAMES.join(', ')}.`)
  return kind
}

/** `max,min` or `max`. Celery has the time before it shrinks from the environment as well. */
function readAutoscale(text: string): Autoscale {
  const [max, min = 0, ...rest] = text.split(',').map((part) => (/^\d+$/.test(part) ? Number(part) : NaN))
  if (max === undefined || !(max >= 1) || !(min <= max) || rest.length > 0)
    throw new InvalidArgumentError('Expected max,min: whole numbers, the larger one first.')
  const keepAlive = Number(process.env.AUTOSCALE_KEEPALIVE)
  return { max, min, ...(keepAlive > 0 ? { keepAliveMs: keepAlive * 1000 } : {}) }
}
