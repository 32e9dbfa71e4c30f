import { createInspect, type Inspect } from './inspect.js'
import { isText, readOptions, refuse, type ControlOptions } from './options.js'
import { isPlainRecord } from '../serialization/plain-record.js'
import type { Acknowledgement, NodeReplies } from './replies.js'
import type { RevokedItem } from '../broker/revocations.js'
import type { Mailbox } from './mailbox.js'

export interface CommandOptions extends ControlOptions {
  /** Wait for what the nodes say. Else a command is done when it is sent, and nobody is known to have heard it. @default false */
  readonly reply?: boolean | undefined
}

export interface RevokeOptions extends CommandOptions {
  /** End it where it runs. @default false */
  readonly terminate?: boolean | undefined
  /** With which signal, where it runs in a process of its own: `SIGKILL`, or `KILL`. @default 'SIGTERM' */
  readonly killSignal?: string | undefined
}

export interface ConsumerDeclaration extends CommandOptions {
  /** @default the queue's name */
  readonly exchange?: string | undefined
  /** @default 'direct' */
  readonly exchangeType?: string | undefined
  /** @default the queue's name */
  readonly routingKey?: string | undefined
}

type Answer = Promise<NodeReplies<Acknowledgement>>

/**
 * Tells workers what to do, those of Python as well: Celery's `app.control` (wire protocol, section 15.5).
 *
 * Commands reach who listens at the moment. With `reply: true` they resolve with what each node said, else with an
 * empty object.
 *
 * All throw PublishError where nothing could be sent, and InvalidArgumentError.
 */
export interface Control {
  inspect(options?: ControlOptions): Inspect
  /** Any command, custom ones as well; `args` have the names that it knows. */
  broadcast<Reply = unknown>(
    method: string,
    args?: Readonly<Record<string, unknown>>,
    options?: CommandOptions,
  ): Promise<NodeReplies<Reply>>
  /** Always waits for replies. */
  ping(options?: ControlOptions): Answer
  /**
   * Have tasks not run. It is remembered: also by workers that start later, for as long as the setting
   * `workerRevokeExpires` says.
   */
  revoke(ids: string | readonly string[], options?: RevokeOptions): Answer
  /** Have all tasks not run that carry one of these values as a stamp. */
  revokeByStampedHeaders(
    headers: Readonly<Record<string, string | readonly string[]>>,
    options?: RevokeOptions,
  ): Answer
  /** `revoke` with `terminate`. */
  terminate(ids: string | readonly string[], options?: Omit<RevokeOptions, 'terminate'>): Answer
  /** So many a second, or text such as `10/m`; 0 lifts the limit. */
  rateLimit(task: string, rate: string | number, options?: CommandOptions): Answer
  /** Seconds; none where left out. */
  timeLimit(
    task: string,
    limits: { readonly soft?: number | undefined; readonly hard?: number | undefined },
    options?: CommandOptions,
  ): Answer
  addConsumer(queue: string, options?: ConsumerDeclaration): Answer
  cancelConsumer(queue: string, options?: CommandOptions): Answer
  poolGrow(count?: number, options?: CommandOptions): Answer
  poolShrink(count?: number, options?: CommandOptions): Answer
  poolRestart(
    options?: CommandOptions & { readonly modules?: readonly string[]; readonly reload?: boolean },
  ): Answer
  autoscale(max: number, min: number, options?: CommandOptions): Answer
  enableEvents(options?: CommandOptions): Answer
  disableEvents(options?: CommandOptions): Answer
  /** Have workers send one heartbeat event now. */
  heartbeat(options?: CommandOptions): Promise<NodeReplies<null>>
  /** Take care: Celery's workers end with an `IndexError` of it (docs/compatibility.md); Lovage's refuse. */
  election(id: string, topic: string, action?: unknown, options?: CommandOptions): Promise<NodeReplies<null>>
  /** A warm shutdown. Nobody replies. */
  shutdown(options?: CommandOptions): Promise<void>
  /**
   * Node names of Lovage's workers that are alive, by their leases in Redis. Nobody is asked: it names those as well that
   * are too busy to reply, or have no remote control. One that was killed goes when its lease is over (`workerLease`).
   * Python's have no lease: `ping` finds those.
   */
  workers(): Promise<readonly string[]>
  /** Drop what waits in these queues. @returns how many messages. @default those that a worker of this app consumes */
  purge(queues?: readonly string[]): Promise<number>
}

export interface ControlParts {
  readonly mailbox: Mailbox
  /** For workers that start later. */
  readonly keepRevoked: (items: readonly RevokedItem[]) => Promise<void>
  readonly workers: () => Promise<readonly string[]>
  readonly purge: (queues: readonly string[] | undefined) => Promise<number>
}

export function createControl({ mailbox, keepRevoked, workers, purge }: ControlParts): Control {
  const broadcast = async <Reply>(
    method: string,
    args: Readonly<Record<string, unknown>> = {},
    { reply = false, ...options }: CommandOptions = {},
  ): Promise<NodeReplies<Reply>> => {
    const request = readOptions(method, args, options)
    if (reply)
      return Object.fromEntries(await mailbox.call(request.broadcast, request.collect)) as NodeReplies<Reply>
    await mailbox.cast(request.broadcast)
    return {}
  }
  const revoke: Control['revoke'] = async (ids, { terminate = false, killSignal, ...options } = {}) => {
    const task_id = readIds(ids)
    await keepRevoked(task_id.map((id) => ({ id })))
    return broadcast('revoke', { task_id, terminate, signal: killSignal ?? 'SIGTERM' }, options)
  }

  return {
    broadcast,
    inspect: (options = {}) => createInspect(mailbox, options),
    ping: (options) => broadcast('ping', {}, { ...options, reply: true }),
    revoke,
    terminate: (ids, options) => revoke(ids, { ...options, terminate: true }),
    async revokeByStampedHeaders(headers, { terminate = false, killSignal, ...options } = {}) {
      const values = isPlainRecord(headers) ? Object.values(headers).flat() : []
      if (values.length === 0 || !values.every(isText)) refuse('headers', headers, 'names with texts')
      await keepRevoked(stampsIn(headers))
      const args = { headers, terminate, signal: killSignal ?? 'SIGTERM' }
      return broadcast('revoke_by_stamped_headers', args, options)
    },
    async rateLimit(task, rate, options) {
      return broadcast('rate_limit', { task_name: named('task', task), rate_limit: rate }, options)
    },
    async timeLimit(task, { soft, hard }, options) {
      const args = { task_name: named('task', task), soft: soft ?? null, hard: hard ?? null }
      return broadcast('time_limit', args, options)
    },
    async addConsumer(queue, { exchange, exchangeType, routingKey, ...options } = {}) {
      const args = {
        queue: named('queue', queue),
        exchange: exchange ?? null,
        exchange_type: exchangeType ?? 'direct',
        routing_key: routingKey ?? null,
      }
      return broadcast('add_consumer', args, options)
    },
    async cancelConsumer(queue, options) {
      return broadcast('cancel_consumer', { queue: named('queue', queue) }, options)
    },
    async poolGrow(count = 1, options) {
      return broadcast('pool_grow', { n: counted('count', count, 1) }, options)
    },
    async poolShrink(count = 1, options) {
      return broadcast('pool_shrink', { n: counted('count', count, 1) }, options)
    },
    poolRestart: ({ modules, reload = false, ...options } = {}) =>
      broadcast('pool_restart', { modules: modules ?? null, reload, reloader: null }, options),
    async autoscale(max, min, options) {
      return broadcast('autoscale', { max: counted('max', max, 1), min: counted('min', min, 0) }, options)
    },
    enableEvents: (options) => broadcast('enable_events', {}, options),
    disableEvents: (options) => broadcast('disable_events', {}, options),
    heartbeat: (options) => broadcast('heartbeat', {}, options),
    election: (id, topic, action = null, options) => broadcast('election', { id, topic, action }, options),
    async shutdown(options) {
      await broadcast('shutdown', {}, options)
    },
    workers: () => workers(),
    purge: (queues) => purge(queues),
  }
}

/** What `revoke_by_stamped_headers` names: values of headers, as an object or as texts `name=value`. */
export function stampsIn(headers: unknown): RevokedItem[] {
  const pairs = Array.isArray(headers)
    ? headers.map((text) => String(text).split(/=(.*)/s))
    : Object.entries(headers ?? {})
  return pairs.flatMap(([name, values]) => {
    const list = Array.isArray(values) ? (values as unknown[]) : [values]
    return list.map((value) => ({ stamp: [String(name), String(value)] as const }))
  })
}

function readIds(ids: string | readonly string[]): readonly string[] {
  const list = typeof ids === 'string' ? [ids] : ids
  if (!Array.isArray(list) || list.length === 0 || !list.every(isText))
    refuse('ids', ids, 'one or more ids of tasks')
  return list
}

function named(argument: string, value: unknown): string {
  return isText(value) ? value : refuse(argument, value, 'a non-empty string')
}

function counted(argument: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least) refuse(argument, value, `a whole number from ${least}`)
  return value
}
