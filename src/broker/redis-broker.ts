import {
  closeRedis,
  databaseOf,
  isCluster,
  openSingle,
  ready,
  roundTripMs,
  type RedisConnectionOptions,
} from '../redis/connect.js'
import { describeValue } from '../errors.js'
import { InvalidRedisOptionsError } from '../redis/errors.js'
import { whyAway } from '../redis/outlook.js'
import { redactUrls, type Log } from '../log.js'
import { redisDeadLetters } from './dead-letters.js'
import { brokerKeys, DEFAULT_KEY_OPTIONS, type BrokerKeyOptions } from './keys.js'
import { createOutbox } from './outbox.js'
import { createServerClock } from './server-clock.js'
import { findParked } from './parked.js'
import { livingWorkers } from './living-workers.js'
import { pushMessages, readBindingMember } from './publish.js'
import { readBacklog } from './backlog.js'
import { createRedisConsumer } from './redis-consumer.js'
import { createRedisFanout } from './redis-fanout.js'
import { createRedisRevocations } from './redis-revocations.js'
import { createRedisReplies } from './redis-replies.js'
import { createSubscriber, type Subscriber } from './subscriber.js'
import type { Redis } from 'ioredis'
import { DEFAULT_DEAD_LETTER_LIMITS } from './dead-letter.js'
import type { Broker, Consumer, DeadLetterLimits } from './broker.js'
import type { QueueOrderStrategy } from './rotation.js'

export interface RedisBrokerOptions extends Partial<BrokerKeyOptions> {
  readonly connection: RedisConnectionOptions
  readonly visibilityTimeoutMs?: number
  readonly leaseMs?: number
  readonly publishTimeoutMs?: number
  readonly deadLetterLimits?: DeadLetterLimits
  readonly queueOrderStrategy?: QueueOrderStrategy
  readonly log: Log
}

/** The part of a key that alone decides about its slot. */
const HASH_TAG = /^[^{]*\{[^}]+\}/

/**
 * The broker on Redis: Celery's keys and messages (wire protocol, sections 1 to 9).
 *
 * Opens one connection for commands, and with the first consumer, or listener of fanout, a second one on which the
 * server announces messages. Each consumer has one more, on which it is handed messages while it waits, and so has who
 * waits for replies of remote control.
 *
 * @throws InvalidRedisOptionsError where the broker is a cluster and the key prefix has no hash tag.
 */
export function createRedisBroker(options: RedisBrokerOptions): Broker {
  const { connection, log } = options
  const keyOptions: BrokerKeyOptions = { ...DEFAULT_KEY_OPTIONS, ...options }
  if (isCluster(connection) && !HASH_TAG.test(keyOptions.globalKeyprefix)) {
    throw new InvalidRedisOptionsError(
      'globalKeyprefix: expected a hash tag such as "{shop}", which keeps all keys of a broker in one slot of a ' +
        `cluster, got ${describeValue(keyOptions.globalKeyprefix)}`,
    )
  }
  const keys = brokerKeys({ ...keyOptions, db: databaseOf(connection) })
  const opened = new Set<Redis>()
  const open = (purpose: string): Redis => {
    const client = openSingle(connection, purpose, keys.unacked, log)
    opened.add(client)
    client.once('end', () => opened.delete(client))
    return client
  }

  const url = redactUrls(connection.url)
  const client = open('broker')
  const clock = createServerClock(client)
  let announcements: Subscriber | undefined
  const subscriber = (): Subscriber => (announcements ??= createSubscriber(open('wake-up')))
  /** Queues whose binding was written since the connection stands; a restarted server may have lost them. */
  const declared = new Set<string>()
  client.on('close', () => declared.clear())

  const outbox = createOutbox({
    push: (messages) =>
      client.status === 'ready' ? pushMessages(client, keys, keyOptions, declared, messages) : false,
    url,
    whyAway: () => whyAway(client),
    defaultTimeoutMs: options.publishTimeoutMs ?? 5000,
    // The clock of the day may be set.
    now: () => performance.now(),
  })
  client.on('ready', () => outbox.flush())

  const replies = createRedisReplies({
    client,
    open: () => openSingle(connection, 'replies', keys.unacked, log),
    keys,
    sep: keyOptions.sep,
    log,
  })

  return {
    url,
    publish: (message, publishOptions = {}) => outbox.add(message, publishOptions),

    consumer(consumerOptions): Consumer {
      return createRedisConsumer({
        ...consumerOptions,
        client,
        connection: forThread(connection),
        subscriber: subscriber(),
        asker: open('hand-over'),
        keys,
        sep: keyOptions.sep,
        prioritySteps: keyOptions.prioritySteps,
        queueOrderStrategy: options.queueOrderStrategy ?? 'round_robin',
        visibilityTimeoutMs: options.visibilityTimeoutMs ?? 3_600_000,
        leaseMs: options.leaseMs ?? 30_000,
        deadLetterLimits: options.deadLetterLimits ?? DEFAULT_DEAD_LETTER_LIMITS,
        log,
      })
    },

    now: clock.now,

    async backlog(queues) {
      await ready(client)
      return readBacklog(client, keys, queues)
    },

    async queueLength(queue) {
      await ready(client)
      const lengths = await Promise.all(keys.lists(queue).map((list) => client.llen(list)))
      return lengths.reduce((sum, length) => sum + length, 0)
    },

    async parked(queues, limit) {
      await ready(client)
      return findParked(client, keys, queues, limit)
    },

    async workers() {
      await ready(client)
      return livingWorkers(client, keys)
    },

    async bindings(exchange) {
      await ready(client)
      const members = await client.smembers(keys.binding(exchange))
      return members
        .flatMap((member) => readBindingMember(member, exchange, keyOptions.sep) ?? [])
        .toSorted((a, b) => (a.queue < b.queue ? -1 : 1))
    },

    async purge(queue) {
      await ready(client)
      const transaction = client.multi()
      for (const list of keys.lists(queue)) transaction.llen(list).del(list)
      const replies = (await transaction.exec()) ?? []
      return replies.reduce((sum, [, reply], i) => (i % 2 === 0 ? sum + Number(reply) : sum), 0)
    },

    deadLetters: redisDeadLetters(client, keys, keyOptions.prioritySteps),

    fanout: createRedisFanout({
      client,
      subscriber,
      keys,
      sep: keyOptions.sep,
      isCluster: isCluster(connection),
      log,
    }),
    replies,
    revocations: createRedisRevocations(client, keys, log),

    ping: (timeoutMs) => roundTripMs(client, timeoutMs),

    async close() {
      outbox.close()
      replies.close()
      await Promise.all([...opened].map((each) => closeRedis(each)))
    },
  }
}

/** Functions do not get there: who asks for credentials cannot ask from there. */
function forThread({
  credentials,
  failoverNews: _news,
  ...connection
}: RedisConnectionOptions): RedisConnectionOptions | undefined {
  return credentials === undefined ? connection : undefined
}
