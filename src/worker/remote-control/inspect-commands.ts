import { BUILTIN_NAMES } from '../builtins.js'
import { CommandError, ok, textsIn, type ControlCommand } from './command.js'
import { decodeTaskMessage } from '../../serialization/task-message.js'
import { formatInstant } from '../../serialization/time.js'
import { parseEnvelope } from '../../serialization/envelope.js'
import { bugReport } from '../../app/bug-report.js'
import { describeTask, queueInfo, statsOf, taskInfo } from './describe-node.js'
import { resolveAcceptContent } from '../../serialization/serializers.js'
import { settingsInfo } from '../../app/settings-info.js'
import type { ControlledNode } from './node.js'
import type { QueriedTasks, ScheduledTask, TaskInfo } from '../../control/replies.js'

/** What a timer of Celery's says of a task with an ETA. */
const SCHEDULED_PRIORITY = 6

/** Commands that ask (wire protocol, section 15.5). */
export const inspectCommands: Readonly<Record<string, ControlCommand<ControlledNode>>> = {
  ping: { run: () => ok('pong') },
  clock: { run: (_, { logicalClock }) => ({ clock: logicalClock.value }) },
  active: {
    run: ({ safe }, { requests, hostname }) =>
      requests
        .running()
        .map(({ request, ...progress }) => taskInfo(request.message, hostname, progress, safe === true)),
  },
  reserved: {
    run: (_, { requests, hostname }) =>
      requests.waiting().map(({ message }) => taskInfo(message, hostname, {})),
  },
  scheduled: { run: (_, node) => scheduled(node) },
  query_task: { run: (args, node) => queryTasks(new Set(textsIn(args, 'ids')), node) },
  registered: {
    run(args, { tasks }) {
      const asked = args['taskinfoitems'] ? textsIn(args, 'taskinfoitems') : []
      const attributes = asked.length > 0 ? asked : ['rate_limit']
      const names = [...tasks.keys(), ...(args['builtins'] === true ? BUILTIN_NAMES : [])]
      return [...new Set(names)].sort().map((name) => {
        const task = tasks.get(name)
        return task === undefined ? name : describeTask(task, attributes)
      })
    },
  },
  stats: { run: (_, node) => statsOf(node) },
  conf: {
    run: (args, { settings }) => settingsInfo(settings, { withDefaults: args['with_defaults'] === true }),
  },
  active_queues: { takes: [], run: (_, { consumer }) => consumer.queues.map(queueInfo) },
  revoked: { run: (_, { revocation }) => tellRevoked(revocation.entries()) },
  report: { takes: [], run: (_, node) => ok(report(node)) },
  hello: {
    run({ from_node: from, revoked }, { hostname, revocation, logicalClock, log }) {
      if (from === hostname) return null
      log.info({ from }, 'telling another worker what is revoked')
      revocation.takeOver(readRevoked(revoked))
      return { revoked: tellRevoked(revocation.entries()), clock: logicalClock.forward() }
    },
  },
  memsample: { run: () => `${(process.memoryUsage.rss() / 2 ** 20).toFixed(2)}MB` },
  memdump: {
    run() {
      const lines = Object.entries(process.memoryUsage()).map(
        ([name, bytes]) => `${name} ${(bytes / 2 ** 20).toFixed(2)}MB`,
      )
      return `${lines.join('\n')}\n`
    },
  },
  objgraph: {
    takes: ['num', 'max_depth', 'type'],
    run() {
      throw new CommandError('ImportError', 'Requires the objgraph library, which is for Python only')
    },
  },
}

/** Names of Celery before 3.1, and what they stand for. */
export const ALIASES: Readonly<Record<string, string>> = {
  dump_active: 'active',
  dump_reserved: 'reserved',
  dump_schedule: 'scheduled',
  dump_tasks: 'registered',
  dump_revoked: 'revoked',
  dump_conf: 'conf',
}

/** They are in nobody's hands, so each worker that could run them tells of them. */
async function scheduled({ parked, settings, hostname }: ControlledNode): Promise<ScheduledTask[]> {
  const acceptContent = resolveAcceptContent(settings.acceptContent, settings.auth)
  return (await parked()).flatMap(({ eta, envelope }) => {
    try {
      const message = decodeTaskMessage(parseEnvelope(envelope), { acceptContent })
      const request = taskInfo(message, hostname, {})
      return [{ eta: formatInstant(eta), priority: SCHEDULED_PRIORITY, request }]
    } catch {
      // What is wrong with it is said when it is due.
      return []
    }
  })
}

function queryTasks(ids: ReadonlySet<string>, { requests, hostname }: ControlledNode): QueriedTasks {
  const found: Record<string, readonly ['active' | 'reserved', TaskInfo]> = {}
  for (const { message } of requests.waiting()) {
    if (ids.has(message.id)) found[message.id] = ['reserved', taskInfo(message, hostname, {})]
  }
  for (const { request, ...progress } of requests.running()) {
    const { message } = request
    if (ids.has(message.id)) found[message.id] = ['active', taskInfo(message, hostname, progress)]
  }
  return found
}

function report({ hostname, settings, pool, consumer }: ControlledNode): string {
  return bugReport(settings, {
    node: `${hostname} pool:${pool.kind} concurrency:${pool.slots.concurrency}`,
    queues: consumer.queues.join(', '),
  })
}

type Told = Parameters<ControlledNode['revocation']['takeOver']>[0]

/**
 * What another worker says is revoked. Its times are those of a clock that says nothing here, so they begin anew, as in
 * Celery.
 */
export function readRevoked(revoked: unknown): Told {
  if (typeof revoked !== 'object' || revoked === null) return []
  const ids = Array.isArray(revoked) ? revoked.map(String) : Object.keys(revoked)
  const at = Date.now()
  return ids.map((id) => ({ item: { id }, at }))
}

/** Ids only, oldest first: all versions of Celery take them, and times of this machine's clock say nothing to others. */
export function tellRevoked(entries: Told): readonly string[] {
  return entries.flatMap(({ item }) => item.id ?? [])
}
