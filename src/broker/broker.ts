/**
 * The broker moves envelopes and has no opinion on their content.
 *
 * Two implementations stand behind these interfaces, Redis and memory; one conformance suite runs on both.
 */

import type { Fanout } from './fanout.js'
import type { Replies } from './replies.js'
import type { Revocations } from './revocations.js'
import type { LossCause, LostDelivery } from '../serialization/earlier-deliveries.js'

/** A message on its way to a queue: the whole envelope (wire protocol, section 2) as JSON text. */
export interface OutgoingMessage {
  readonly queue: string
  /** 0 to 9, 0 the most urgent (section 5.4); chooses the priority list. */
  readonly priority: number
  readonly envelope: string
}

export interface PublishOptions {
  /** Milliseconds after which the publish settles with an error. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** A message handed to a consumer, which has to ack, release, requeue, park or bury it. */
export interface Delivery {
  /**
   * Identity while unacked: the field in `unacked`. The sender's delivery tag, or one of our own where the
   * sender's is in flight already; and a makeshift, as long as a message that was handed over is not unacked.
   */
  readonly tag: string
  readonly queue: string
  /** The envelope's text exactly as it stood on the list. */
  readonly envelope: string
  /** It was parked and its ETA has come, by the broker's clock; do not compare it with another. */
  readonly isDue: boolean
}

/** A message that waits for its ETA, in nobody's hands. */
export interface ParkedMessage {
  readonly queue: string
  readonly eta: Date
  readonly envelope: string
}

/** An element of a queue that is no envelope. It is in the dead letters already. */
export interface UnreadableElement {
  readonly queue: string
  readonly deadLetterId: string
}

export interface Claim {
  /** Empty when every queue is. */
  readonly deliveries: readonly Delivery[]
  readonly unreadable: readonly UnreadableElement[]
  /** Milliseconds until the next parked message of these queues falls due, by the broker's clock. */
  readonly nextDueMs: number | undefined
}

/** A message that was handed to a consumer while it waited. */
export interface Handover {
  readonly delivery: Delivery
  /** Nothing else is there to be claimed, as far as is known: the consumer may wait again at once. */
  readonly isAlone: boolean
}

/** What waits in some queues and is held, at one instant. */
export interface Backlog {
  /** That instant: milliseconds since the Unix epoch, by the broker's clock. */
  readonly now: number
  /** Messages of all queues that workers hold, those of Python as well. */
  readonly unacked: number
  readonly queues: readonly QueueBacklog[]
}

export interface QueueBacklog {
  readonly queue: string
  /** Waiting messages over all priority lists. */
  readonly length: number
  /** Messages that wait for their ETA, in nobody's hands. */
  readonly scheduled: number
  /** The first of their ETAs; it may have come. Milliseconds since the Unix epoch. */
  readonly nextEta: number | undefined
  /** Delivery tags of the next and of the last message of each priority list; empty where there is none. */
  readonly ends: readonly { readonly head: string; readonly tail: string }[]
}

/** Why a message was set aside, for the person who looks at it. */
export interface DeadLetterReason {
  /** Stable, such as `NOT_REGISTERED` or `CONTENT_DISALLOWED`. */
  readonly code: string
  readonly message: string
}

export interface DeadLetter extends DeadLetterReason {
  readonly id: string
  readonly queue: string
  /** When it was set aside. */
  readonly diedAt: Date
  /** Node name of the worker that set it aside; undefined for what is no message at all. */
  readonly worker: string | undefined
  /** Task name and id, where the envelope's headers tell. */
  readonly task: string | undefined
  readonly taskId: string | undefined
  /** How often it was handed to a worker. */
  readonly deliveries: number
  /** The latest deliveries that were lost, oldest first. */
  readonly history: readonly LostDelivery[]
  /** The element exactly as it stood on the list. */
  readonly envelope: string
}

/** Which dead letters: those that fit everything that is given. */
export interface DeadLetterFilter {
  readonly ids?: readonly string[] | undefined
  readonly queue?: string | undefined
  readonly code?: string | undefined
  readonly task?: string | undefined
  readonly diedBefore?: Date | undefined
}

/** How many dead letters are kept, and for how long; older ones go when new ones come. */
export interface DeadLetterLimits {
  readonly maxCount: number
  /** Seconds; 0 for ever. */
  readonly expiresSeconds: number
}

/**
 * Messages that were set aside. They stay until they are retried, purged, or displaced by the settings
 * `deadLetterMaxCount` and `deadLetterExpires`; they have no TTL, so that eviction does not take them.
 */
export interface DeadLetters {
  count(): Promise<number>
  /** Newest first. @param options - `limit` is 100 unless given. */
  list(
    options?: DeadLetterFilter & { readonly limit?: number; readonly offset?: number },
  ): Promise<DeadLetter[]>
  get(id: string): Promise<DeadLetter | undefined>
  /**
   * Send them to their queues again, as the last in line of their priority, with the count of their deliveries begun
   * anew and every byte of their arguments as it was. Each leaves the dead letters in the same step.
   *
   * @returns how many there were.
   * @throws InvalidArgumentError for a filter that names nothing.
   */
  retry(selection: DeadLetterFilter | 'all'): Promise<number>
  /** Drop them for good. @returns how many there were. @throws InvalidArgumentError as `retry` does. */
  purge(selection: DeadLetterFilter | 'all'): Promise<number>
}

export interface ConsumerOptions {
  readonly queues: readonly string[]
  /** Names the consumer's lease, `<node name>:<unique text>`; unique per start of a worker. */
  readonly consumerId: string
}

/**
 * Takes messages of some queues and holds them until their fate is recorded.
 *
 * Between `claim` and `ack` (or its siblings) a message is in `unacked`, and this consumer's lease says that
 * it is alive and holds it. The lease is renewed from `start` until `stop`, and messages of consumers whose
 * lease ran out are put back meanwhile.
 */
export interface Consumer {
  /** Those that it takes messages of at the moment. */
  readonly queues: readonly string[]
  start(): Promise<void>
  /** Take messages of one more queue. @throws where the broker refuses that; nothing has changed then. */
  addQueue(queue: string): Promise<void>
  /** Take none of it any more. What is held of it stays so. */
  removeQueue(queue: string): void
  /**
   * Take up to `limit` messages, due parked ones first, and record them as unacked. Does not wait.
   *
   * @param maxBytes - Length of the envelopes together after which no more are taken; one is taken at least.
   *   @default any
   */
  claim(limit: number, maxBytes?: number): Promise<Claim>
  /**
   * Resolves when there may be something to claim: a push to one of the queues, `timeoutMs` over, or
   * `signal` aborted. Or with a message that came meanwhile: the caller has it as if it had claimed it.
   */
  waitForWork(timeoutMs: number, signal: AbortSignal): Promise<Handover | undefined>
  /** Done with. Messages that were restored to another consumer meanwhile are left to it. */
  ack(deliveries: readonly Delivery[]): Promise<void>
  /** Keep it in `unacked`, off this consumer's hands, until `eta`; any consumer may then claim it. */
  park(delivery: Delivery, eta: Date): Promise<void>
  /**
   * Note that the task of a message begins that was lost before, or must not be run twice: should it be lost from
   * now on, its next delivery tells so.
   *
   * @returns false where the message is no longer this consumer's.
   */
  begin(delivery: Delivery): Promise<boolean>
  /** Put back at the front of its queue, as it was: its task has not begun. */
  release(deliveries: readonly Delivery[]): Promise<void>
  /** Put back at the front of its queue, marked redelivered: a stop ends its task. It does not count as a loss. */
  releaseBegun(deliveries: readonly Delivery[]): Promise<void>
  /** Put back at the front of its queue, marked redelivered: what ran its task died. It counts as such a loss. */
  releaseLost(delivery: Delivery, cause: LossCause): Promise<void>
  /** Put back at the end of its queue, marked redelivered: a rejection with requeue. It counts as a loss. */
  requeue(delivery: Delivery): Promise<void>
  /** Move to the dead letters with a reason. */
  bury(delivery: Delivery, reason: DeadLetterReason): Promise<void>
  /** Give up the lease. What is still held is put back by others, so release first. */
  stop(): Promise<void>
}

/** That a queue gets what is sent to an exchange with a routing key, or a pattern of those (section 5.3). */
export interface Binding {
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
}

export interface Broker {
  /** Credentials replaced, for logs and banners. */
  readonly url: string
  /**
   * Push messages; those of one turn of the event loop share a write.
   *
   * @throws PublishError when they could not be handed over in time; it says whether they may have been.
   */
  publish(message: OutgoingMessage, options?: PublishOptions): Promise<void>
  consumer(options: ConsumerOptions): Consumer
  /** The broker's clock, in milliseconds since the Unix epoch; undefined while it is not known. Costs next to nothing. */
  now(this: void): number | undefined
  backlog(queues: readonly string[]): Promise<Backlog>
  /** Waiting messages over all priority lists. */
  queueLength(queue: string): Promise<number>
  /** Messages of some queues that wait for their ETA, by that, at most `limit` of each queue. */
  parked(queues: readonly string[], limit: number): Promise<ParkedMessage[]>
  /**
   * Node names of the workers of this runtime that are alive, by their leases: nobody is asked, so that one is known
   * which is too busy to reply. One that was killed is among them until its lease is over.
   */
  workers(): Promise<readonly string[]>
  /** Which queues are bound to an exchange, by their names. */
  bindings(exchange: string): Promise<Binding[]>
  /** Drop all waiting messages; returns how many there were. */
  purge(queue: string): Promise<number>
  readonly deadLetters: DeadLetters
  /** Messages to all who listen, beside the queues. */
  readonly fanout: Fanout
  /** Replies to who has asked by fanout. */
  readonly replies: Replies
  readonly revocations: Revocations
  /** Round trip in milliseconds. */
  ping(timeoutMs: number): Promise<number>
  close(): Promise<void>
}
