import { asGroup } from '../canvas/plan.js'
import { isGroup, readSignatureData, type SignatureData } from '../canvas/signature-data.js'
import { startedTuple } from '../canvas/result-tree.js'
import { placeOf } from './replace.js'
import type { PartialCall } from '../canvas/signature-types.js'
import type { PrepareCanvas, PreparedCanvas } from '../app/apply-canvas.js'
import type { ResultTuple } from '../serialization/result-tuple.js'
import type { Retry } from '../app/outcomes.js'
import type { SendOptions, SendTask } from '../app/send-task.js'
import type { Settings } from '../app/settings.js'
import type { TaskMessage } from '../serialization/task-message.js'

export function hasFollowUps(message: TaskMessage): boolean {
  return message.callbacks.length > 0 || message.chain.length > 0
}

/** Whether a message has any part of the canvas about it. */
export function hasCanvas(message: TaskMessage): boolean {
  return hasFollowUps(message) || message.errbacks.length > 0 || message.chord !== undefined
}

/**
 * The same message with its signatures read to their last member.
 *
 * @throws InvalidSignatureError: better before the task runs than after it.
 */
export function withReadCanvas(message: TaskMessage): TaskMessage {
  const read = (signatures: readonly SignatureData[], name: string): SignatureData[] =>
    signatures.map((each) => readSignatureData(each, `${name} of ${message.task}[${message.id}]`))
  return {
    ...message,
    callbacks: read(message.callbacks, 'callbacks'),
    errbacks: read(message.errbacks, 'errbacks'),
    chain: read(message.chain, 'chain'),
    chord: message.chord && read([message.chord], 'chord')[0],
  }
}

export interface FollowUpParts {
  readonly prepareCanvas: PrepareCanvas
  readonly settings: Settings
}

/**
 * What follows a success (wire protocol, sections 12.3 and 12.5), in the order in which it is sent: callbacks that are
 * groups, all others as one group, and the rest of the chain.
 */
export function prepareFollowUps(
  parts: FollowUpParts,
  message: TaskMessage,
  result: unknown,
): PreparedCanvas[] {
  const extra = childOf(parts, message)
  const call = { args: [result] }
  const { callbacks, chain } = message
  const prepared = (data: SignatureData, options: PartialCall = call): PreparedCanvas =>
    parts.prepareCanvas(data, options, extra)
  const alone = callbacks.length === 1 ? callbacks : callbacks.filter(isGroup)
  const together = callbacks.length === 1 ? [] : callbacks.filter((each) => !isGroup(each))
  const next = chain.at(-1)
  return [
    ...alone.map((callback) => prepared(callback)),
    ...(together.length > 0 ? [prepared(asGroup(together))] : []),
    ...(next === undefined ? [] : [prepared(next, { ...call, options: { chain: restOf(chain) } })]),
  ]
}

/** How a result names what its task has started (section 10.2). */
export function childTuple({ result }: PreparedCanvas): ResultTuple {
  return startedTuple(result)
}

/** What runs in place of a task. */
export function prepareReplacement(
  parts: FollowUpParts,
  message: TaskMessage,
  signature: SignatureData,
): PreparedCanvas {
  return parts.prepareCanvas(signature, placeOf(message), childOf(parts, message))
}

/** Send the same task again with one retry more (section 13.4). */
export async function sendRetry(send: SendTask, message: TaskMessage, retry: Retry): Promise<void> {
  await send(message.task, retry.args ?? message.args, retry.kwargs ?? message.kwargs, {
    taskId: message.id,
    queue: message.routingKey,
    priority: message.priority,
    retries: message.retries + 1,
    ...definedOnly({
      eta: retry.when,
      expires: message.expires,
      shadow: message.shadow,
      groupId: message.group,
      groupIndex: message.groupIndex,
      timeLimit: message.hardTimeLimit,
      softTimeLimit: message.softTimeLimit,
      chord: message.chord,
    }),
    rootId: message.rootId,
    parentId: message.parentId ?? message.id,
    ignoreResult: message.ignoreResult,
    link: message.callbacks,
    linkError: message.errbacks,
    chain: message.chain,
    headers: message.headers,
    ...(message.stampedHeaders.length > 0 && stampsOf(message)),
    replacedTaskNesting: message.replacedTaskNesting,
    replyTo: message.replyTo,
    serializer: message.serializer,
  })
}

function stampsOf({ stamps, stampedHeaders }: TaskMessage): SendOptions {
  return { stamps, stampedHeaders }
}

function restOf(chain: readonly SignatureData[]): readonly SignatureData[] | null {
  return chain.length > 1 ? chain.slice(0, -1) : null
}

function childOf({ settings }: FollowUpParts, { id, rootId, priority }: TaskMessage): SendOptions {
  const parent = { parentId: id, rootId }
  return settings.taskInheritParentPriority ? { ...parent, priority } : parent
}

function definedOnly<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}
