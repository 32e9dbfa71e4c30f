import { isElsewhere, isRefusal } from '../redis/script.js'
import { PublishError } from './errors.js'
import { priorityStep, type BrokerKeys } from './keys.js'
import type { Binding, OutgoingMessage } from './broker.js'
import type { RedisClient } from '../redis/connect.js'

/** Arguments of one LPUSH; a longer command would hold up the server and its client. */
const MOST_PER_COMMAND = 1000

/** A message that certainly was not pushed, and may be soon. */
export interface PushAgain {
  /** What the server said, if it was asked at all. */
  readonly again: string | undefined
}

/** What became of one message: undefined where it was pushed, or why it was not or nobody knows. */
export type PushOutcome = undefined | PushAgain | Error

/**
 * Push messages to their lists and declare queues that this connection has not declared (section 5.2).
 *
 * Messages for one list go in one LPUSH, which pushes them one by one in their order: the lists look as if
 * each had come in a command of its own.
 *
 * @param declared - queues whose binding this connection has written; added to once the write succeeded.
 * @returns the outcome of each message, by its index, and nothing where all are pushed; a PublishError
 *   `PUBLISH_REFUSED` with Redis's answer where it refused a push, such as OOM.
 */
export async function pushMessages(
  client: RedisClient,
  keys: BrokerKeys,
  binding: { readonly sep: string; readonly prioritySteps: readonly number[] },
  declared: Set<string>,
  messages: readonly OutgoingMessage[],
): Promise<readonly PushOutcome[]> {
  const pushes: Push[] = []
  for (const [list, places] of byList(keys, binding.prioritySteps, messages)) {
    for (let first = 0; first < places.length; first += MOST_PER_COMMAND) {
      const some = places.slice(first, first + MOST_PER_COMMAND)
      pushes.push({ list, places: some, envelopes: some.map((place) => messages[place]?.envelope ?? '') })
    }
  }
  const newQueues = [...new Set(messages.map(({ queue }) => queue))].filter((queue) => !declared.has(queue))
  const bindings = newQueues.map((queue): NewBinding => [
    keys.binding(queue),
    bindingMember(queue, binding.sep),
  ])
  const [push, ...others] = pushes
  // A pipeline costs more than the message in it.
  const isAlone = push !== undefined && others.length === 0 && bindings.length === 0
  const errors = isAlone ? [await pushOnly(client, push)] : await pushInOneWrite(client, pushes, bindings)
  // A binding that could not be written does not undo a push; the next message of its queue declares it again.
  newQueues.forEach((queue, i) => {
    if (errors[pushes.length + i] === undefined) declared.add(queue)
  })
  if (pushes.every((_, i) => errors[i] === undefined)) return []
  const outcomes: PushOutcome[] = messages.map(() => undefined)
  pushes.forEach(({ places }, i) => {
    const error = errors[i]
    if (error !== undefined) for (const place of places) outcomes[place] = asOutcome(error)
  })
  return outcomes
}

/** One LPUSH, and the places of its messages among all. */
interface Push {
  readonly list: string
  readonly places: readonly number[]
  readonly envelopes: readonly string[]
}

async function pushOnly(client: RedisClient, { list, envelopes }: Push): Promise<Error | undefined> {
  try {
    await client.lpush(list, ...envelopes)
    return undefined
  } catch (error) {
    return error as Error
  }
}

type NewBinding = readonly [key: string, member: string]

/** @returns the error of each command, or undefined. */
async function pushInOneWrite(
  client: RedisClient,
  pushes: readonly Push[],
  bindings: readonly NewBinding[],
): Promise<readonly (Error | undefined)[]> {
  const pipeline = client.pipeline()
  for (const { list, envelopes } of pushes) pipeline.lpush(list, ...envelopes)
  for (const [key, member] of bindings) pipeline.sadd(key, member)
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error]) => error ?? undefined)
}

/**
 * A queue's member of `_kombu.binding.<exchange>` (section 5.3).
 *
 * @param routingKey - @default that of a queue on the direct exchange of its own name
 */
export function bindingMember(queue: string, sep: string, routingKey = queue): string {
  return `${routingKey}${sep}${sep}${queue}`
}

/** Undefined for what is no member. */
export function readBindingMember(member: string, exchange: string, sep: string): Binding | undefined {
  const [routingKey, , queue] = member.split(sep)
  return routingKey === undefined || queue === undefined ? undefined : { queue, exchange, routingKey }
}

function byList(
  keys: BrokerKeys,
  steps: readonly number[],
  messages: readonly OutgoingMessage[],
): Map<string, number[]> {
  const lists = new Map<string, number[]>()
  messages.forEach(({ queue, priority }, place) => {
    const list = keys.list(queue, priorityStep(steps, priority))
    const places = lists.get(list)
    if (places === undefined) lists.set(list, [place])
    else places.push(place)
  })
  return lists
}

function asOutcome(error: Error): PushAgain | Error {
  if (isElsewhere(error)) return { again: error.message }
  // ioredis's words for a command that it did not write.
  if (error.message.startsWith("Stream isn't writeable")) return { again: undefined }
  if (!isRefusal(error)) return error
  return new PublishError('PUBLISH_REFUSED', `Redis refused the message: ${error.message}`, {
    mayHaveBeenSent: false,
    cause: error,
  })
}
