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
 * @param declared - queues whose binding this connection has written; added to once the write succeeded.
 * @throws PublishError `PUBLISH_REFUSED` with Redis's answer where it refused a push, such as OOM.
 */
export async function pushMessages(
  client: RedisClient,
  keys: BrokerKeys,
  binding: { readonly sep: string; readonly prioritySteps: readonly number[] },
  declared: Set<string>,
  messages: readonly OutgoingMessage[],
): Promise<void> {
  const pipeline = client.pipeline()
  const newQueues = new Set<string>()
  for (const [list, envelopes] of byList(keys, binding.prioritySteps, messages)) {
    for (let first = 0; first < envelopes.length; first += MOST_PER_COMMAND) {
      pipeline.lpush(list, ...envelopes.slice(first, first + MOST_PER_COMMAND))
    }
  }
  for (const { queue } of messages) {
    if (declared.has(queue) || newQueues.has(queue)) continue
    newQueues.add(queue)
    pipeline.sadd(keys.binding(queue), bindingMember(queue, binding.sep))
  }
  const replies = (await pipeline.exec()) ?? []
  const refused = replies.find(([error]) => error !== null)?.[0]
  if (refused) throw asRefusal(refused)
  for (const queue of newQueues) declared.add(queue)
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
