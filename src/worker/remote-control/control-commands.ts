import { CommandError, countIn, failed, ok, secondsIn, textIn, textsIn } from './command.js'
import { InvalidArgumentError } from '../../errors.js'
import { isPlainRecord } from '../../serialization/plain-record.js'
import { parseRate, type RateLimit } from '../../app/rate-limit.js'
import { pythonRepr } from '../../serialization/python-repr.js'
import { stampsIn } from '../../control/control.js'
import { isStamped } from '../revocation/revoked.js'
import { signalNamed } from '../signal-named.js'
import { runsHere } from '../pool/pool.js'
import { unenforced } from '../pool/unenforced-limits.js'
import type { Arguments, ControlCommand } from './command.js'
import type { ControlledNode } from './node.js'

/** Commands that tell a worker what to do (wire protocol, section 15.5). */
export const controlCommands: Readonly<Record<string, ControlCommand<ControlledNode>>> = {
  // Flower says 1 for true.
  revoke: { run: (args, node) => revoke(args, node, Boolean(args['terminate'])) },
  terminate: { run: (args, node) => revoke(args, node, true) },
  revoke_by_stamped_headers: { run: revokeByStamps },
  rate_limit: { run: limitRate },
  time_limit: {
    run(args, { tasks, setTimeLimits, pool, log }) {
      const [hard, soft] = [secondsIn(args, 'hard'), secondsIn(args, 'soft')]
      const name = textIn(args, 'task_name')
      if (!tasks.has(name)) return failed('unknown task')
      setTimeLimits(name, { hard, soft })
      log.info({ task: name, hard, soft }, 'new time limits, by remote control')
      if (hard !== undefined && runsHere(pool)) log.warn({ task: name }, unenforced(pool.kind, `of ${name}`))
      return ok('time limits set successfully')
    },
  },
  add_consumer: {
    async run(args, { consumer, log }) {
      const queue = textIn(args, 'queue')
      await consumer.addQueue(queue)
      log.info({ queue }, 'consuming from one more queue, by remote control')
      return ok(`add consumer ${queue}`)
    },
  },
  cancel_consumer: {
    run(args, { consumer, log }) {
      const queue = textIn(args, 'queue')
      consumer.removeQueue(queue)
      log.info({ queue }, 'consuming from a queue no more, by remote control')
      return ok(`no longer consuming from ${queue}`)
    },
  },
  pool_grow: { run: (args, node) => resize('grow', args, node) },
  pool_shrink: { run: (args, node) => resize('shrink', args, node) },
  pool_restart: {
    run(_, { pool, settings, log }) {
      if (!settings.workerPoolRestarts) throw new CommandError('ValueError', 'Pool restarts not enabled')
      if (pool.restart === undefined)
        throw new CommandError(
          'NotImplementedError',
          `a pool of the kind ${pool.kind} has no children to replace`,
        )
      pool.restart()
      log.info({ pool: pool.kind }, 'replacing the children of the pool, by remote control')
      return ok('reload started')
    },
  },
  autoscale: {
    takes: ['max', 'min'],
    run(args, { autoscale }) {
      if (autoscale === undefined) throw new CommandError('ValueError', 'Autoscale not enabled')
      const limit = (name: string): number | undefined =>
        args[name] === undefined || args[name] === null ? undefined : countIn(args, name, 0)
      const [max, min] = [limit('max'), limit('min')]
      const now = autoscale({ ...(max !== undefined && { max }), ...(min !== undefined && { min }) })
      return ok(`autoscale now max=${now.max} min=${now.min}`)
    },
  },
  enable_events: {
    takes: [],
    run: (_, { events }) =>
      ok(events?.enableEvents() === true ? 'task events enabled' : 'task events already enabled'),
  },
  disable_events: {
    takes: [],
    run: (_, { events }) =>
      ok(events?.disableEvents() === true ? 'task events disabled' : 'task events already disabled'),
  },
  heartbeat: {
    takes: [],
    async run(_, { events }) {
      await events?.heartbeat()
      return null
    },
  },
  // Section 16.2: taking part is optional.
  election: {
    run() {
      throw new CommandError('ValueError', 'Elections are not held: see docs/compatibility.md')
    },
  },
  shutdown: {
    run(_, { shutdown, log }) {
      log.warn({}, 'Got shutdown from remote')
      shutdown()
      return NO_REPLY
    },
  },
}

/** What a command returns to which nobody replies. */
export const NO_REPLY = Symbol('no reply')

function revoke(args: Arguments, node: ControlledNode, terminates: boolean): unknown {
  const ids = [...new Set(textsIn(args, 'task_id'))]
  const signal = terminates ? signalIn(args) : undefined
  const ended = signal === undefined ? [] : ids.filter((id) => node.terminate(id, signal))
  node.revocation.revoke(
    ids.map((id) => ({ id })),
    { ended },
  )
  if (signal === undefined) {
    node.log.info({ taskIds: ids }, 'Tasks flagged as revoked')
    return ok(`tasks ${ids.join(', ')} flagged as revoked`)
  }
  if (ended.length === 0) return ok('terminate: tasks unknown')
  node.log.info({ taskIds: ended, signal }, 'Terminating tasks')
  return ok(`terminate: ${ended.join(', ')}`)
}

function revokeByStamps(args: Arguments, node: ControlledNode): unknown {
  const { headers } = args
  if (!isPlainRecord(headers) && !Array.isArray(headers)) {
    throw new CommandError('TypeError', "expected 'headers' to be a mapping or a list of name=value")
  }
  const items = stampsIn(headers)
  const signal = args['terminate'] ? signalIn(args) : undefined
  node.revocation.revoke(items)
  const shown = pythonRepr(headers)
  if (signal === undefined) return ok(`headers ${shown} flagged as revoked, but not terminated`)
  const running = node.requests
    .running()
    .filter(({ request }) =>
      items.some(({ stamp }) => stamp !== undefined && isStamped(request.message, ...stamp)),
    )
  const ended = running.filter(({ request }) => node.terminate(request.message.id, signal))
  return ok(ended.length === 0 ? `headers ${shown} were not terminated` : `headers ${shown} revoked`)
}

function limitRate(args: Arguments, { tasks, setRateLimit, log }: ControlledNode): unknown {
  const rate = (args['rate_limit'] ?? null) as RateLimit
  let perSecond: number
  try {
    perSecond = parseRate(rate)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    return failed(`Invalid rate limit string: ValueError(${pythonRepr(error.message)})`)
  }
  const name = textIn(args, 'task_name')
  if (!tasks.has(name)) return failed('unknown task')
  setRateLimit(name, rate)
  log.info({ task: name, rate }, 'new rate limit, by remote control')
  return ok(perSecond === 0 ? 'rate limit disabled successfully' : 'new rate limit set successfully')
}

async function resize(
  direction: 'grow' | 'shrink',
  args: Arguments,
  { pool, autoscale, log }: ControlledNode,
): Promise<unknown> {
  if (autoscale !== undefined) {
    return failed(`pool_${direction} is not supported with autoscale. Adjust autoscale range instead.`)
  }
  const count = countIn(args, 'n', 1)
  await pool[direction](count)
  log.info({ concurrency: pool.slots.concurrency }, `the pool will ${direction}, by remote control`)
  return ok(`pool will ${direction}`)
}

/** By its name, with or without `SIG`, or its number. @throws CommandError */
function signalIn(args: Arguments): NodeJS.Signals {
  const given = args['signal'] ?? 'SIGTERM'
  const signal = signalNamed(given)
  if (signal === undefined) throw new CommandError('ValueError', `Invalid signal: ${pythonRepr(given)}`)
  return signal
}
