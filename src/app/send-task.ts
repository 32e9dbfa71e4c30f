import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { AsyncResult } from '../results/async-result.js'
import { serializerNamed } from '../serialization/serializers.js'
import { createTimedTag } from '../serialization/timed-tag.js'
import { encodeTaskMessage, type OutgoingTask } from '../serialization/outgoing-task.js'
import { InvalidArgumentError, describeValue } from '../errors.js'
import { runningTask } from '../results/running-task.js'
import { sendUnique, UNIQUE_HEADER, uniqueKeyOf, type UniqueOptions } from './unique-calls.js'
import { routeTask } from './routing.js'
import type { Broker, PublishOptions } from '../broker/broker.js'
import type { Coordination } from '../coordination/coordination.js'
import type { Log } from '../log.js'
import type { RevokeTasks } from '../results/revoking.js'
import type { ResultBackend } from '../results/result-backend.js'
import { dataIfSignature } from '../canvas/signature.js'
import type { AnySignature } from '../canvas/signature-types.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { Publication, SignalBus } from './signals.js'
import type { Settings } from './settings.js'
import type { TaskOptions } from './task-options.js'
import type { Tracing } from './tracing.js'

/** A signature, or its plain data. */
export type Linked = AnySignature | SignatureData

/** How one call is sent; the options of Celery's `apply_async` and, last, those of this runtime. */
export interface SendOptions {
  /** @default a fresh UUID4 */
  readonly taskId?: string
  readonly queue?: string
  /** 0 to 9, 0 the most urgent on Redis. */
  readonly priority?: number
  /** Seconds from now before which it does not start. */
  readonly countdown?: number
  readonly eta?: Date
  /** Seconds from now, or the instant, after which it does not start. */
  readonly expires?: number | Date
  readonly retries?: number
  readonly shadow?: string
  readonly ignoreResult?: boolean
  /** Seconds. */
  readonly timeLimit?: number
  readonly softTimeLimit?: number
  /** The caller's own headers; the task sees them as `request.headers`. */
  readonly headers?: Readonly<Record<string, unknown>>
  readonly serializer?: string
  readonly compression?: string
  /** Sent where it succeeds, with its result in front of their arguments. */
  readonly link?: Linked | readonly Linked[]
  /** Sent where it fails. */
  readonly linkError?: Linked | readonly Linked[]
  /** The steps that follow, the next one last. */
  readonly chain?: readonly Linked[]
  /** The body that waits for it, in a chord's header. */
  readonly chord?: Linked
  readonly rootId?: string
  readonly parentId?: string
  readonly groupId?: string
  readonly groupIndex?: number
  readonly replyTo?: string
  /**
   * Not of Celery: not sent while another call of the same key waits or runs; the result is then that one's. A call that
   * something waits for, in a canvas, is sent all the same. @default the task's `unique`
   */
  readonly unique?: UniqueOptions | boolean
  /** The task sees them as `request.stamps`, and can be revoked by them. */
  readonly stamps?: Readonly<Record<string, unknown>>
  /** @default the names of `stamps` */
  readonly stampedHeaders?: readonly string[]
  readonly replacedTaskNesting?: number
  /** More message properties by their wire names. */
  readonly properties?: Readonly<Record<string, unknown>>
  /** Gives up sending; what was sent already stays sent. */
  readonly signal?: AbortSignal
  /** Milliseconds. @default the setting `publishTimeoutMs` */
  readonly publishTimeoutMs?: number
}

/**
 * Send a call by the task's name.
 *
 * @returns the result to wait for, as soon as the message is in its queue.
 * @throws InvalidArgumentError, EncodeError: nothing was sent. PublishError: says whether it may have been.
 */
export type SendTask = (
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  options: SendOptions,
) => Promise<AsyncResult>

export interface SenderParts {
  readonly settings: Settings
  readonly broker: Broker
  readonly backend: ResultBackend
  readonly signals: SignalBus
  readonly coordination: () => Coordination
  readonly revokeTasks: RevokeTasks
  readonly tracing: () => Tracing | undefined
  readonly log: () => Log
  /** Names this app as a receiver of replies; Celery's `thread_oid`. */
  readonly replyTo: string
  /** Options of a task that is registered here. */
  readonly taskOptions: (name: string) => TaskOptions | undefined
  /** Called, if the setting `taskSendSentEvent` says so, when the message is in its queue. */
  readonly taskSent: (task: OutgoingTask) => void
}

export function createSender(parts: SenderParts): SendTask {
  const { settings, broker, backend, replyTo, signals, coordination, taskOptions, taskSent } = parts
  const timedTag = createTimedTag()
  const origin = `gen${process.pid}@${hostname()}`
  const revocationLimits = { most: settings.workerRevokesMax, expiresMs: settings.workerRevokeExpires * 1000 }
  const isRevoked = (taskId: string): Promise<boolean> => broker.revocations.has(taskId, revocationLimits)
  const revoke = (taskId: string): Promise<void> => parts.revokeTasks([taskId])

  return async (name, args, kwargs, options) => {
    const own = taskOptions(name) ?? {}
    const route = routeTask(settings.taskRoutes, name, args, kwargs, options)
    const wanted = options.queue ?? route?.queue ?? own.queue ?? settings.taskDefaultQueue
    // There is one worker then, which has to get everything.
    const queue = settings.taskAlwaysEager ? settings.taskDefaultQueue : wanted
    const parent = runningTask()
    const inherited = settings.taskInheritParentPriority ? parent?.priority : undefined
    const priority =
      options.priority ?? route?.priority ?? own.priority ?? inherited ?? settings.taskDefaultPriority ?? 0
    const id = options.taskId ?? randomUUID()
    check(name, args, kwargs, priority, options)
    // A countdown of 0 is none, as in Celery.
    const eta = settings.taskAlwaysEager ? undefined : (options.eta ?? after(options.countdown || undefined))
    let { headers } = options
    const uniqueKey = isAlone(options)
      ? uniqueKeyOf(options.unique ?? own.unique, name, args, kwargs)
      : undefined
    if (uniqueKey !== undefined) {
      const { key, until } = uniqueKey
      headers = { ...headers, [UNIQUE_HEADER]: { key, until } }
    }
    let publication: Publication | undefined
    const tracing = parts.tracing()
    if (tracing !== undefined || signals.has('beforeTaskPublish') || signals.has('afterTaskPublish')) {
      const { retries = 0 } = options
      headers = { ...headers }
      publication = { taskId: id, task: name, args, kwargs, queue, priority, retries, eta, headers }
      await signals.emit('beforeTaskPublish', publication)
    }
    const traced = tracing && publication && tracing.sending.bind(undefined, publication)
    const now = broker.now()
    const task: OutgoingTask = {
      id,
      task: name,
      args,
      kwargs,
      queue,
      priority,
      eta,
      expires: options.expires instanceof Date ? options.expires : after(options.expires ?? own.expires),
      retries: options.retries,
      rootId: options.rootId ?? parent?.rootId,
      parentId: options.parentId ?? parent?.id,
      group: options.groupId,
      groupIndex: options.groupIndex,
      timeLimits: [options.timeLimit, options.softTimeLimit],
      shadow: options.shadow,
      ignoreResult: options.ignoreResult ?? own.ignoreResult ?? settings.taskIgnoreResult,
      replacedTaskNesting: options.replacedTaskNesting,
      callbacks: asList(options.link),
      errbacks: asList(options.linkError),
      chain: asList(options.chain),
      chord: options.chord && (dataIfSignature(options.chord) as SignatureData),
      headers,
      stamps: options.stamps,
      stampedHeaders: options.stampedHeaders ?? (options.stamps && Object.keys(options.stamps)),
      replyTo: options.replyTo ?? replyTo,
      origin,
      serializer: serializerNamed(
        options.serializer ?? own.serializer ?? settings.taskSerializer,
        settings.jsonForm,
        settings.auth,
      ),
      signer: settings.messageSigner,
      compression: options.compression ?? own.compression ?? settings.taskCompression,
      deliveryMode: settings.taskDefaultDeliveryMode,
      deliveryTag: now === undefined ? undefined : timedTag(now),
      properties: options.properties,
      form: settings.jsonForm,
    }
    const timeoutMs = options.publishTimeoutMs ?? settings.publishTimeoutMs
    const publishOptions = { timeoutMs, signal: options.signal }
    if (uniqueKey === undefined && traced === undefined) await publishTask(broker, task, publishOptions)
    else {
      const untraced = (): Promise<void> => publishTask(broker, task, publishOptions)
      const publish = traced === undefined ? untraced : () => traced(untraced)
      const call = { task: name, id, timeoutMs }
      if (uniqueKey === undefined) await publish()
      else {
        const uniqueParts = { coordination: coordination(), isRevoked, revoke, log: parts.log() }
        const holder = await sendUnique(uniqueParts, uniqueKey, call, publish)
        if (holder !== id)
          return new AsyncResult(holder, backend, undefined, { isIgnored: task.ignoreResult })
      }
    }
    if (settings.taskSendSentEvent) taskSent(task)
    if (publication !== undefined) await signals.emit('afterTaskPublish', publication)
    return new AsyncResult(id, backend, undefined, { isIgnored: task.ignoreResult })
  }
}

async function publishTask(broker: Broker, task: OutgoingTask, options: PublishOptions): Promise<void> {
  const { queue, priority = 0 } = task
  await broker.publish({ queue, priority, envelope: encodeTaskMessage(task) }, options)
}

/** Nothing waits for it that would wait for ever if it were not sent; and it is not a retry, which has its key. */
function isAlone({ retries, chain, chord, groupId, link, linkError }: SendOptions): boolean {
  const waits = retries || chord || groupId || link || linkError
  return !waits && (chain === undefined || chain === null || chain.length === 0)
}

function after(seconds: number | undefined): Date | undefined {
  return seconds === undefined ? undefined : new Date(Date.now() + seconds * 1000)
}

function asList(signatures: Linked | readonly Linked[] | undefined): readonly SignatureData[] | undefined {
  if (signatures === undefined) return undefined
  const list = Array.isArray(signatures) ? (signatures as readonly Linked[]) : [signatures]
  return list.map(dataIfSignature) as SignatureData[]
}

function check(
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  priority: number,
  { countdown, eta, expires, taskId }: SendOptions,
): void {
  if (typeof name !== 'string' || name === '') refuse('name', name, 'a task name')
  if (!Array.isArray(args)) refuse('args', args, 'an array')
  if (typeof kwargs !== 'object' || kwargs === null || Array.isArray(kwargs))
    refuse('kwargs', kwargs, 'an object')
  if (!Number.isInteger(priority)) refuse('priority', priority, 'an integer from 0 to 9')
  if (taskId === '') refuse('taskId', taskId, 'a non-empty string')
  if (countdown !== undefined && !Number.isFinite(countdown)) refuse('countdown', countdown, 'seconds')
  if (eta !== undefined && Number.isNaN(eta.getTime())) refuse('eta', eta, 'a valid Date')
  const seconds = expires instanceof Date ? expires.getTime() : expires
  if (seconds !== undefined && !Number.isFinite(seconds))
    refuse('expires', expires, 'seconds or a valid Date')
}

function refuse(argument: string, value: unknown, expected: string): never {
  throw new InvalidArgumentError(`${argument}: expected ${expected}, got ${describeValue(value)}`)
}
