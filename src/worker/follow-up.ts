import { readSendOptions } from '../app/read-send-options.js'
import { readSignature } from '../serialization/signature.js'
import type { AsyncResult } from '../results/async-result.js'
import type { Retry } from '../app/outcomes.js'
import type { SendOptions, SendTask } from '../app/send-task.js'
import type { SignatureData } from '../canvas/signature-data.js'
import type { TaskMessage } from '../serialization/task-message.js'

/** A result tuple, as results name the tasks they started (wire protocol, section 10.2). */
export type ResultTuple = readonly [readonly [id: string, parent: null], null]

export function hasFollowUps(message: TaskMessage): boolean {
  return message.callbacks.length > 0 || message.chain.length > 0
}

/**
 * What a message asks for that this version does not do yet, so that it is refused instead of half done: the
 * callbacks of a task must not stop silently (wire protocol, section 20, pitfall 4).
 */
export function unsupportedCanvas(message: TaskMessage): string | undefined {
  if (message.chord !== undefined) return 'it is part of a chord'
  const next = [...message.callbacks, ...message.errbacks, ...message.chain]
  const combined = next.find((each) => each.subtask_type !== null)
  return combined === undefined ? undefined : `it is followed by a ${combined.subtask_type}`
}

/**
 * Send what follows a success, before its result is stored (wire protocol, sections 12.3 and 12.5).
 *
 * @returns the children, for the result.
 */
export async function sendCallbacks(
  send: SendTask,
  message: TaskMessage,
  result: unknown,
): Promise<ResultTuple[]> {
  const children: AsyncResult[] = []
  for (const callback of message.callbacks) {
    children.push(await sendSignature(send, readSignature(callback), [result], message, {}))
  }
  const next = message.chain.at(-1)
  if (next !== undefined) {
    const chain = message.chain.slice(0, -1)
    children.push(await sendSignature(send, readSignature(next), [result], message, { chain }))
  }
  return children.map(({ id }) => [[id, null], null])
}

/** Send the errbacks of a failure, after its result is stored (section 12.6, old style). */
export async function sendErrbacks(send: SendTask, message: TaskMessage): Promise<void> {
  for (const errback of message.errbacks) {
    await sendSignature(send, readSignature(errback), [message.id], message, {})
  }
}

/** Send the same task again with one retry more (section 13.4). */
export async function sendRetry(send: SendTask, message: TaskMessage, retry: Retry): Promise<void> {
  await send(message.task, retry.args ?? message.args, retry.kwargs ?? message.kwargs, {
    taskId: message.id,
    queue: message.routingKey,
    priority: message.priority,
    retries: message.retries + 1,
    eta: retry.when,
    ...definedOnly({
      expires: message.expires,
      shadow: message.shadow,
      groupId: message.group,
      groupIndex: message.groupIndex,
      timeLimit: message.hardTimeLimit,
      softTimeLimit: message.softTimeLimit,
      chord: message.chord,
    }),
    rootId: message.rootId,
    parentId: message.id,
    ignoreResult: message.ignoreResult,
    link: message.callbacks,
    linkError: message.errbacks,
    chain: message.chain,
    headers: message.headers,
    stamps: message.stamps,
    stampedHeaders: message.stampedHeaders,
    replacedTaskNesting: message.replacedTaskNesting,
    replyTo: message.replyTo,
    serializer: message.serializer,
  })
}

function sendSignature(
  send: SendTask,
  signature: SignatureData,
  prefix: readonly unknown[],
  parent: TaskMessage,
  extra: SendOptions,
): Promise<AsyncResult> {
  const args = signature.immutable ? signature.args : [...prefix, ...signature.args]
  return send(signature.task, args, signature.kwargs, {
    ...readSendOptions(signature.options),
    ...extra,
    parentId: parent.id,
    rootId: parent.rootId,
  })
}

function definedOnly<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}
