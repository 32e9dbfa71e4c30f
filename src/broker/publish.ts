import { PublishError } from './errors.js'
import { priorityStep, type BrokerKeys } from './keys.js'
import type { OutgoingMessage } from './broker.js'
import type { RedisClient } from '../redis/connect.js'

/** Arguments of one LPUSH; a longer command would hold up the server and its client. */
const MOST_PER_COMMAND = 1000

/**
 * Push messages to their lists and declare queues that this connection has not declared (section 5.2).
 *
 * Messages for one list go in one LPUSH, which pushes them one by one in their order: the lists look as if
 * each had come in a command of its own.
 *
 * @param declared - queues whose binding this connection has written; added to once the write succeeded. One that
 *   failed does not fail the message, which is in its queue, and is written with the next one.
 * @returns what was wrong with each message, by its index, and nothing where all are pushed: a PublishError
 *   `PUBLISH_REFUSED` with Redis's answer where it refused a push, such as OOM.
 */
export async function pushMessages(
  client: RedisClient,
  keys: BrokerKeys,
  binding: { readonly sep: string; readonly prioritySteps: readonly number[] },
  declared: Set<string>,
  messages: readonly OutgoingMessage[],
): Promise<readonly (Error | undefined)[]> {
  const pipeline = client.pipeline()
  const newQueues: string[] = []
  const firstPush = new Map<string, number>()
  for (const [list, envelopes] of byList(keys, binding.prioritySteps, messages)) {
    firstPush.set(list, pipeline.length)
    for (let first = 0; first < envelopes.length; first += MOST_PER_COMMAND) {
      pipeline.lpush(list, ...envelopes.slice(first, first + MOST_PER_COMMAND))
    }
  }
  const pushes = pipeline.length
  for (const { queue } of messages) {
    if (declared.has(queue) || newQueues.includes(queue)) continue
    newQueues.push(queue)
    pipeline.sadd(keys.binding(queue), bindingMember(queue, binding.sep))
  }
  const errors = ((await pipeline.exec()) ?? []).map(([error]) => error ?? undefined)
  newQueues.forEach((queue, i) => {
    if (errors[pushes + i] === undefined) declared.add(queue)
  })
  const refusals = errors.slice(0, pushes).map((error) => error && asRefusal(error))
  if (refusals.every((refusal) => refusal === undefined)) return []

  const pushed = new Map<string, number>()
  return messages.map(({ queue, priority }) => {
    const list = keys.list(queue, priorityStep(binding.prioritySteps, priority))
    const before = pushed.get(list) ?? 0
    pushed.set(list, before + 1)
    return refusals[(firstPush.get(list) ?? 0) + Math.floor(before / MOST_PER_COMMAND)]
  })
}

/** The member of `_kombu.binding.<queue>` for a queue on the direct exchange of its own name (section 5.3). */
export function bindingMember(queue: string, sep: string): string {
  return `${queue}${sep}${sep}${queue}`
}

function byList(
  keys: BrokerKeys,
  steps: readonly number[],
  messages: readonly OutgoingMessage[],
): Map<string, string[]> {
  const lists = new Map<string, string[]>()
  for (const { queue, priority, envelope } of messages) {
    const list = keys.list(queue, priorityStep(steps, priority))
    const envelopes = lists.get(list)
    if (envelopes === undefined) lists.set(list, [envelope])
    else envelopes.push(envelope)
  }
  return lists
}

function asRefusal(error: Error): Error {
  if (error.name !== 'ReplyError') return error
  return new PublishError('PUBLISH_REFUSED', `Redis refused the message: ${error.message}`, {
    mayHaveBeenSent: false,
    cause: error,
  })
}
