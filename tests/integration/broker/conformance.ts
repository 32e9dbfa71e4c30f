import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { atTestEnd } from '../../support/at-test-end.js'
import { encodeTaskMessage } from '../../../src/serialization/outgoing-task.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import {
  readEarlierDeliveries,
  type EarlierDeliveries,
} from '../../../src/serialization/earlier-deliveries.js'
import { describeReplies } from './replies-conformance.js'
import type { Broker, Consumer, DeadLetterLimits, Delivery } from '../../../src/broker/broker.js'

export type MakeBroker = (limits?: DeadLetterLimits) => Promise<Broker>

const NEVER = new AbortController().signal

/** An envelope as a producer writes it; its task name tells messages apart. */
export function envelopeFor(queue: string, task: string, priority = 0): string {
  return encodeTaskMessage({ id: randomUUID(), task, queue, priority })
}

export function taskOf({ envelope }: { readonly envelope: string }): unknown {
  return parseEnvelope(envelope).headers.task
}

export function earlierOf({ envelope }: { readonly envelope: string }): EarlierDeliveries {
  return readEarlierDeliveries(parseEnvelope(envelope))
}

export async function send(broker: Broker, queue: string, task: string, priority = 0): Promise<void> {
  await broker.publish({ queue, priority, envelope: envelopeFor(queue, task, priority) })
}

export async function startConsumer(broker: Broker, ...queues: string[]): Promise<Consumer> {
  const consumer = broker.consumer({ queues, consumerId: randomUUID() })
  await consumer.start()
  atTestEnd(() => consumer.stop())
  return consumer
}

export async function claimOne(consumer: Consumer): Promise<Delivery> {
  const { deliveries } = await consumer.claim(1)
  const [delivery] = deliveries
  if (delivery === undefined) throw new Error('nothing to claim')
  return delivery
}

/** Send some messages and set each aside, with its task's name as the reason's code. */
async function buryTasks(broker: Broker, ...tasks: string[]): Promise<Consumer> {
  const consumer = await startConsumer(broker, 'q')
  for (const task of tasks) {
    await send(broker, 'q', task)
    await consumer.bury(await claimOne(consumer), { code: task.toUpperCase(), message: `no ${task}` })
  }
  return consumer
}

/** What every broker does, whatever it is made of. */
export function describeBroker(makeBroker: MakeBroker): void {
  describeReplies(makeBroker)

  it('takes messages of queues that are added, and none of those that are removed', async () => {
    const broker = await makeBroker()
    const consumer = await startConsumer(broker, 'a')
    const waiting = consumer.waitForWork(60_000, NEVER)
    await consumer.addQueue('b')
    expect(consumer.queues).toEqual(['a', 'b'])
    await send(broker, 'b', 'of b')
    await waiting
    expect(taskOf(await claimOne(consumer))).toBe('of b')
    for (const queue of ['a', 'b']) {
      consumer.removeQueue(queue)
      await send(broker, queue, 'of nobody')
    }
    expect(consumer.queues).toEqual([])
    expect((await consumer.claim(10)).deliveries).toEqual([])
    const stop = new AbortController()
    const idle = consumer.waitForWork(60_000, stop.signal)
    stop.abort()
    await idle
    expect(await broker.queueLength('a')).toBe(1)
  })

  it('row 35: names the workers whose consumers have started and not stopped', async () => {
    const broker = await makeBroker()
    expect(await broker.workers()).toEqual([])
    const ids = ['b@host:1', 'a@host:2', 'a@host:3']
    const consumers = ids.map((consumerId) => broker.consumer({ queues: ['q'], consumerId }))
    for (const consumer of consumers) await consumer.start()
    expect(await broker.workers()).toEqual(['a@host', 'b@host'])
    for (const consumer of consumers.slice(0, 2)) await consumer.stop()
    expect(await broker.workers()).toEqual(['a@host'])
    await consumers[2]?.stop()
    expect(await broker.workers()).toEqual([])
  })

  it('tells which messages wait for their ETA', async () => {
    const broker = await makeBroker()
    const consumer = await startConsumer(broker, 'a', 'b')
    const eta = (seconds: number): Date => new Date(Math.floor(Date.now() / 1000 + seconds) * 1000)
    const etas = { later: eta(200), soon: eta(100) }
    await send(broker, 'a', 'later')
    await consumer.park(await claimOne(consumer), etas.later)
    await send(broker, 'b', 'soon')
    await consumer.park(await claimOne(consumer), etas.soon)
    const found = await broker.parked(['a', 'b', 'c'], 10)
    expect(found.map(({ queue, eta: at }) => [queue, at])).toEqual([
      ['b', etas.soon],
      ['a', etas.later],
    ])
    expect(found.map(taskOf)).toEqual(['soon', 'later'])
    expect(await broker.parked(['a'], 1)).toHaveLength(1)
    expect(await broker.parked([], 1)).toEqual([])
  })

  it('row 28: tells what waits, over all priorities, what is scheduled, and what is held', async () => {
    const broker = await makeBroker()
    const consumer = await startConsumer(broker, 'a', 'b')
    const eta = new Date(Math.floor(Date.now() / 1000 + 100) * 1000)
    for (const _ of [1, 2]) await send(broker, 'a', 'held')
    const [first, second] = (await consumer.claim(2)).deliveries
    if (first === undefined || second === undefined) throw new Error('nothing to claim')
    await consumer.park(first, eta)
    const envelopes = [0, 0, 3, 9].map((priority) => envelopeFor('a', 't', priority))
    const tags = envelopes.map((envelope) => String(parseEnvelope(envelope).properties.delivery_tag))
    for (const [i, envelope] of envelopes.entries())
      await broker.publish({ queue: 'a', priority: [0, 0, 3, 9][i] ?? 0, envelope })
    await send(broker, 'b', 't')
    const backlog = await broker.backlog(['a', 'b', 'c'])
    expect(backlog.unacked).toBe(1)
    expect(Math.abs(backlog.now - Date.now())).toBeLessThan(60_000)
    const none = { head: '', tail: '' }
    const [a, b, c] = backlog.queues
    expect(a).toEqual({
      queue: 'a',
      length: 4,
      scheduled: 1,
      nextEta: eta.getTime(),
      ends: [
        { head: tags[0], tail: tags[1] },
        { head: tags[2], tail: tags[2] },
        none,
        { head: tags[3], tail: tags[3] },
      ],
    })
    expect(b).toMatchObject({ queue: 'b', length: 1, scheduled: 0, nextEta: undefined })
    expect(c).toMatchObject({ queue: 'c', length: 0, ends: [none, none, none, none] })
    expect((await broker.backlog([])).queues).toEqual([])
    const later = broker.now()
    expect(later === undefined || Math.abs(later - Date.now()) < 60_000).toBe(true)
  })

  it('hands messages over in the order in which they were sent', async () => {
    const broker = await makeBroker()
    for (const task of ['a', 'b', 'c']) await send(broker, 'q', task)
    const consumer = await startConsumer(broker, 'q')
    expect((await consumer.claim(2)).deliveries.map(taskOf)).toEqual(['a', 'b'])
    expect((await consumer.claim(2)).deliveries.map(taskOf)).toEqual(['c'])
    expect((await consumer.claim(2)).deliveries).toEqual([])
  })

  it('hands over the envelope exactly as it was sent', async () => {
    const broker = await makeBroker()
    const envelope = envelopeFor('q', 'ünïcode 🌿').replace(
      '{',
      '{ "unknown": [1e3, 12345678901234567890, {}], ',
    )
    await broker.publish({ queue: 'q', priority: 0, envelope })
    const consumer = await startConsumer(broker, 'q')
    expect((await claimOne(consumer)).envelope).toBe(envelope)
  })

  it('takes the most urgent step first: 0 before 3 before 6 before 9', async () => {
    const broker = await makeBroker()
    for (const priority of [9, 6, 3, 0]) await send(broker, 'q', `p${priority}`, priority)
    const consumer = await startConsumer(broker, 'q')
    expect((await consumer.claim(4)).deliveries.map(taskOf)).toEqual(['p0', 'p3', 'p6', 'p9'])
  })

  it('lets queues take turns, so that a long one does not starve the others', async () => {
    const broker = await makeBroker()
    for (let i = 0; i < 20; i++) await send(broker, 'long', 'long')
    for (let i = 0; i < 3; i++) await send(broker, 'short', 'short')
    const consumer = await startConsumer(broker, 'long', 'short')
    const tasks: unknown[] = []
    for (let i = 0; i < 6; i++) tasks.push(taskOf(await claimOne(consumer)))
    expect(tasks).toEqual(['long', 'short', 'long', 'short', 'long', 'short'])
  })

  it('row 19: takes at least one message in ten from the less urgent steps while urgent ones keep coming', async () => {
    const broker = await makeBroker()
    for (let i = 0; i < 100; i++) await send(broker, 'q', 'urgent', 0)
    for (let i = 0; i < 10; i++) await send(broker, 'q', 'patient', 9)
    const consumer = await startConsumer(broker, 'q')
    const tasks: unknown[] = []
    for (let i = 0; i < 50; i++) tasks.push(taskOf(await claimOne(consumer)))
    const patient = tasks.filter((task) => task === 'patient').length
    expect(patient).toBeGreaterThanOrEqual(4)
    expect(patient).toBeLessThanOrEqual(5)
  })

  it('never hands a message to two consumers', async () => {
    const broker = await makeBroker()
    for (let i = 0; i < 50; i++) await send(broker, 'q', `t${i}`)
    const [one, two] = [await startConsumer(broker, 'q'), await startConsumer(broker, 'q')]
    const claims = await Promise.all([one.claim(30), two.claim(30), one.claim(30), two.claim(30)])
    const tasks = claims.flatMap(({ deliveries }) => deliveries.map(taskOf))
    expect(new Set(tasks).size).toBe(50)
    expect(tasks.length).toBe(50)
  })

  it('keeps apart messages that were given the same delivery tag (celery-ts gives all the tag "celery")', async () => {
    const broker = await makeBroker()
    for (const task of ['a', 'b', 'c']) {
      const envelope = envelopeFor('q', task).replace(/"delivery_tag": ?"[^"]*"/, '"delivery_tag":"celery"')
      await broker.publish({ queue: 'q', priority: 0, envelope })
    }
    const consumer = await startConsumer(broker, 'q')
    const { deliveries } = await consumer.claim(3)
    expect(deliveries.map(taskOf)).toEqual(['a', 'b', 'c'])
    expect(new Set(deliveries.map(({ tag }) => tag)).size).toBe(3)
    await consumer.ack(deliveries.slice(0, 1))
    await consumer.release(deliveries.slice(1))
    expect((await consumer.claim(3)).deliveries.map(taskOf)).toEqual(['b', 'c'])
  })

  it('sets an element that is no message aside, with its reason, and goes on', async () => {
    const broker = await makeBroker()
    await broker.publish({ queue: 'q', priority: 0, envelope: 'not json' })
    await send(broker, 'q', 'good')
    const consumer = await startConsumer(broker, 'q')
    const claim = await consumer.claim(10)
    expect(claim.deliveries.map(taskOf)).toEqual(['good'])
    expect(claim.unreadable.map(({ queue }) => queue)).toEqual(['q'])
    const letters = await broker.deadLetters.list()
    expect(letters).toHaveLength(1)
    expect(letters[0]).toMatchObject({ queue: 'q', code: 'UNREADABLE', envelope: 'not json' })
    expect(letters[0]?.id).toBe(claim.unreadable[0]?.deadLetterId)
  })

  it('row 18: releases what has not begun to the front of its queue in its old order, byte for byte as it was', async () => {
    const broker = await makeBroker()
    for (const task of ['a', 'b', 'c']) await send(broker, 'q', task)
    const consumer = await startConsumer(broker, 'q')
    const claimed = (await consumer.claim(3)).deliveries
    await consumer.release(claimed.slice(0, 2))
    const { deliveries } = await consumer.claim(3)
    expect(deliveries.map(({ envelope }) => envelope)).toEqual(
      claimed.slice(0, 2).map(({ envelope }) => envelope),
    )
  })

  it('row 18: releases what was lost before with all that is known of that', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a')
    const consumer = await startConsumer(broker, 'q')
    await consumer.requeue(await claimOne(consumer))
    const lost = await claimOne(consumer)
    await consumer.release([lost])
    const again = await claimOne(consumer)
    expect(again.envelope).toBe(lost.envelope)
    expect(earlierOf(again)).toMatchObject({ count: 1, lost: 1 })
  })

  it('row 18: claims no more when messages have so many bytes together, but one of any length', async () => {
    const broker = await makeBroker()
    const envelopes = Array.from({ length: 100 }, (_, i) => envelopeFor('q', `t${100 + i}`))
    for (const envelope of envelopes) await broker.publish({ queue: 'q', priority: 0, envelope })
    const length = envelopes[0]?.length ?? 0
    const consumer = await startConsumer(broker, 'q')
    const claimTasks = async (limit: number, maxBytes: number): Promise<unknown[]> =>
      (await consumer.claim(limit, maxBytes)).deliveries.map(taskOf)
    expect(await claimTasks(10, 1)).toEqual(['t100'])
    expect(await claimTasks(10, 2 * length)).toEqual(['t101', 't102'])
    expect(await claimTasks(10, 2 * length + 1)).toEqual(['t103', 't104', 't105'])
    expect(await claimTasks(3, 50 * length)).toEqual(['t106', 't107', 't108'])
    // More than are read at once.
    const many = await claimTasks(90, 60 * length)
    expect(many).toEqual(Array.from({ length: 60 }, (_, i) => `t${109 + i}`))
    expect(await broker.queueLength('q')).toBe(31)
    expect(await claimTasks(90, Infinity)).toHaveLength(31)
  })

  it('row 18: counts the bytes of all priorities, and of parked messages that are due', async () => {
    const broker = await makeBroker()
    const consumer = await startConsumer(broker, 'q')
    for (const task of ['a', 'b']) {
      await send(broker, 'q', task)
      await consumer.park(await claimOne(consumer), new Date(Date.now() - 1000))
    }
    for (const priority of [0, 3, 6]) await send(broker, 'q', `p${priority}`, priority)
    const claims: unknown[][] = []
    const { length } = envelopeFor('q', 'a')
    // Each has room for one and a half.
    while (claims.flat().length < 5 && claims.length < 5)
      claims.push((await consumer.claim(10, length * 1.5)).deliveries.map(taskOf))
    expect(claims.slice(0, 1)).toEqual([['a', 'b']])
    expect(claims.slice(1)).toEqual([['p0', 'p3'], ['p6']])
  })

  it('releases what had begun to the front of its queue in its old order, marked redelivered', async () => {
    const broker = await makeBroker()
    for (const task of ['a', 'b', 'c']) await send(broker, 'q', task)
    const consumer = await startConsumer(broker, 'q')
    await consumer.releaseBegun((await consumer.claim(2)).deliveries)
    const { deliveries } = await consumer.claim(3)
    expect(deliveries.map(taskOf)).toEqual(['a', 'b', 'c'])
    const [released, untouched] = [deliveries[0], deliveries[2]].map((each) =>
      parseEnvelope(each?.envelope ?? ''),
    )
    expect(released?.headers.redelivered).toBe(true)
    expect(released?.properties.delivery_info.redelivered).toBe(true)
    expect(untouched?.headers).not.toHaveProperty('redelivered')
  })

  it('Must 7.3: requeues a message at the end of the line of its own priority', async () => {
    const broker = await makeBroker()
    for (const task of ['a', 'b']) await send(broker, 'q', task, 6)
    await send(broker, 'q', 'c', 9)
    const consumer = await startConsumer(broker, 'q')
    await consumer.requeue(await claimOne(consumer))
    expect((await consumer.claim(3)).deliveries.map(taskOf)).toEqual(['b', 'a', 'c'])
  })

  it('gives up a message for good when it is acknowledged', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a')
    const consumer = await startConsumer(broker, 'q')
    const delivery = await claimOne(consumer)
    await consumer.ack([delivery])
    await consumer.release([delivery])
    expect(await broker.queueLength('q')).toBe(0)
    expect((await consumer.claim(1)).deliveries).toEqual([])
  })

  it('moves a refused message to the dead letters with its reason, envelope untouched', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a')
    const consumer = await startConsumer(broker, 'q')
    const delivery = await claimOne(consumer)
    await consumer.bury(delivery, { code: 'NOT_REGISTERED', message: 'no task "a"' })
    expect(await broker.deadLetters.count()).toBe(1)
    const [letter] = await broker.deadLetters.list()
    expect(letter).toMatchObject({ queue: 'q', code: 'NOT_REGISTERED', message: 'no task "a"' })
    expect(letter?.envelope).toBe(delivery.envelope)
    expect(Math.abs(Date.now() - (letter?.diedAt.getTime() ?? 0))).toBeLessThan(60_000)
    await consumer.release([delivery])
    expect(await broker.queueLength('q')).toBe(0)
  })

  it('parks a message until its ETA, and says when the next one is due', async () => {
    const broker = await makeBroker()
    for (const task of ['soon', 'late']) await send(broker, 'q', task)
    const consumer = await startConsumer(broker, 'q')
    const { deliveries } = await consumer.claim(2)
    const [soon, late] = deliveries as [Delivery, Delivery]
    await consumer.park(late, new Date(Date.now() + 3_600_000))
    await consumer.park(soon, new Date(Date.now() + 150))
    const { deliveries: none, nextDueMs = Infinity } = await consumer.claim(2)
    expect(none).toEqual([])
    expect(nextDueMs).toBeGreaterThan(0)
    expect(nextDueMs).toBeLessThanOrEqual(150)
    // Nothing is pushed when an ETA comes: the consumer waits for as long as the claim told it.
    let due: readonly Delivery[] = []
    for (let waited = nextDueMs; due.length === 0;) {
      await consumer.waitForWork(waited, NEVER)
      const claim = await consumer.claim(2)
      due = claim.deliveries
      waited = claim.nextDueMs ?? 0
    }
    expect(due.map(taskOf)).toEqual(['soon'])
    expect(due[0]).toMatchObject({ tag: soon.tag, isDue: true, envelope: soon.envelope })
  })

  it('lets any consumer of the queue take a parked message that is due', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a')
    const [one, two] = [await startConsumer(broker, 'q'), await startConsumer(broker, 'q')]
    const delivery = await claimOne(one)
    await one.park(delivery, new Date(Date.now() - 1))
    const due = await claimOne(two)
    expect(taskOf(due)).toBe('a')
    await one.ack([delivery])
    await two.requeue(due)
    expect(await broker.queueLength('q')).toBe(1)
  })

  it('wakes a waiting consumer for a message of any priority of any of its queues', async () => {
    const broker = await makeBroker()
    const consumer = await startConsumer(broker, 'p', 'q')
    for (const [queue, priority] of [
      ['p', 0],
      ['q', 9],
      ['q', 5],
    ] as const) {
      const start = performance.now()
      const waiting = consumer.waitForWork(60_000, NEVER)
      await send(broker, queue, 'a', priority)
      const handover = await waiting
      expect(performance.now() - start).toBeLessThan(4000)
      const delivery = handover?.delivery ?? (await claimOne(consumer))
      expect(delivery).toMatchObject({ queue })
      await consumer.ack([delivery])
    }
  })

  it('ends a wait when its signal aborts', async () => {
    const broker = await makeBroker()
    const consumer = await startConsumer(broker, 'q')
    const stop = new AbortController()
    const waiting = consumer.waitForWork(60_000, stop.signal)
    stop.abort()
    await waiting
  })

  it('counts and purges messages of all priorities', async () => {
    const broker = await makeBroker()
    for (const priority of [0, 3, 9]) await send(broker, 'q', 'a', priority)
    await send(broker, 'other', 'a')
    expect(await broker.queueLength('q')).toBe(3)
    expect(await broker.purge('q')).toBe(3)
    expect(await broker.queueLength('q')).toBe(0)
    expect(await broker.queueLength('other')).toBe(1)
  })

  it('refuses to publish when the signal has aborted, or after it was closed', async () => {
    const broker = await makeBroker()
    const message = { queue: 'q', priority: 0, envelope: envelopeFor('q', 'a') }
    await expect(broker.publish(message, { signal: AbortSignal.abort() })).rejects.toThrow()
    expect(await broker.queueLength('q')).toBe(0)
    await broker.close()
    await expect(broker.publish(message)).rejects.toMatchObject({
      code: 'BROKER_CLOSED',
      mayHaveBeenSent: false,
    })
  })

  it('counts what is requeued as a lost delivery, with its history, and not what a stop hands back', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a')
    const consumer = broker.consumer({ queues: ['q'], consumerId: 'celery@here:1' })
    await consumer.start()
    atTestEnd(() => consumer.stop())
    for (let stops = 0; stops < 3; stops++) {
      const delivery = await claimOne(consumer)
      expect(earlierOf(delivery)).toMatchObject({ count: 0, lost: 0 })
      await consumer.releaseBegun([delivery])
    }
    await consumer.requeue(await claimOne(consumer))
    const second = await claimOne(consumer)
    expect(earlierOf(second)).toMatchObject({
      count: 1,
      lost: 1,
      history: [{ cause: 'REQUEUED', worker: 'celery@here', hasBegun: false }],
    })
    await consumer.releaseBegun([second])
    await consumer.requeue(await claimOne(consumer))
    expect(earlierOf(await claimOne(consumer))).toMatchObject({ count: 2, lost: 2 })
  })

  it('begins only what it still holds', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a')
    const consumer = await startConsumer(broker, 'q')
    const delivery = await claimOne(consumer)
    expect(await consumer.begin(delivery)).toBe(true)
    await consumer.ack([delivery])
    expect(await consumer.begin(delivery)).toBe(false)
  })

  it('row 21: tells of a dead letter what it is, who set it aside, and what became of it before', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a', 6)
    const consumer = broker.consumer({ queues: ['q'], consumerId: 'celery@here:1' })
    await consumer.start()
    atTestEnd(() => consumer.stop())
    await consumer.requeue(await claimOne(consumer))
    await consumer.bury(await claimOne(consumer), { code: 'CODE', message: 'why' })
    const [letter] = await broker.deadLetters.list()
    expect(letter).toMatchObject({
      queue: 'q',
      code: 'CODE',
      message: 'why',
      worker: 'celery@here',
      task: 'a',
      deliveries: 2,
      history: [{ cause: 'REQUEUED', worker: 'celery@here' }],
    })
    expect(letter?.taskId).toBe(parseEnvelope(letter?.envelope ?? '').headers.id)
    expect(await broker.deadLetters.get(letter?.id ?? '')).toEqual(letter)
    expect(await broker.deadLetters.get('no such id')).toBeUndefined()
  })

  it('lists dead letters newest first, those of a filter only', async () => {
    const broker = await makeBroker()
    await buryTasks(broker, 'a', 'b', 'a')
    const tasks = async (...args: Parameters<typeof broker.deadLetters.list>): Promise<unknown[]> =>
      (await broker.deadLetters.list(...args)).map(({ task }) => task)
    expect(await tasks()).toEqual(['a', 'b', 'a'])
    expect(await tasks({ limit: 2, offset: 1 })).toEqual(['b', 'a'])
    expect(await tasks({ task: 'a' })).toEqual(['a', 'a'])
    expect(await tasks({ code: 'B', queue: 'q' })).toEqual(['b'])
    expect(await tasks({ task: 'a', limit: 1, offset: 1 })).toEqual(['a'])
    expect(await tasks({ queue: 'other' })).toEqual([])
    expect(await tasks({ diedBefore: new Date(Date.now() - 3_600_000) })).toEqual([])
    expect(await tasks({ diedBefore: new Date(Date.now() + 3_600_000) })).toEqual(['a', 'b', 'a'])
  })

  it('row 21: sends a dead letter to the end of its queue again, every byte as it was', async () => {
    const broker = await makeBroker()
    const envelope = envelopeFor('q', 'ünïcode 🌿', 6).replace(
      '{',
      '{ "unknown": [1e3, 12345678901234567890, {}], ',
    )
    await broker.publish({ queue: 'q', priority: 6, envelope })
    const consumer = await startConsumer(broker, 'q')
    await consumer.bury(await claimOne(consumer), { code: 'CODE', message: 'why' })
    await send(broker, 'q', 'before', 6)
    await send(broker, 'q', 'after', 9)
    const [letter] = await broker.deadLetters.list()
    expect(await broker.deadLetters.retry({ ids: [letter?.id ?? '', 'no such id'] })).toBe(1)
    expect(await broker.deadLetters.count()).toBe(0)
    expect(await broker.deadLetters.retry({ ids: [letter?.id ?? ''] })).toBe(0)
    const { deliveries } = await consumer.claim(3)
    expect(deliveries.map(taskOf)).toEqual(['before', 'ünïcode 🌿', 'after'])
    expect(deliveries[1]?.envelope).toBe(envelope)
  })

  it('counts the deliveries of a retried dead letter from the beginning', async () => {
    const broker = await makeBroker()
    await send(broker, 'q', 'a')
    const consumer = await startConsumer(broker, 'q')
    await consumer.requeue(await claimOne(consumer))
    const lost = await claimOne(consumer)
    await consumer.bury(lost, { code: 'CODE', message: 'why' })
    expect(await broker.deadLetters.retry('all')).toBe(1)
    const retried = await claimOne(consumer)
    expect(earlierOf(lost)).toMatchObject({ count: 1, lost: 1 })
    expect(earlierOf(retried)).toEqual({ count: 0, lost: 0, hasBegun: false, history: [] })
    expect(parseEnvelope(retried.envelope).body).toBe(parseEnvelope(lost.envelope).body)
  })

  it('retries an element that is no message, which is then found unreadable again', async () => {
    const broker = await makeBroker()
    await broker.publish({ queue: 'q', priority: 0, envelope: 'not json' })
    const consumer = await startConsumer(broker, 'q')
    await consumer.claim(1)
    expect(await broker.deadLetters.retry({ code: 'UNREADABLE' })).toBe(1)
    expect(await broker.queueLength('q')).toBe(1)
    expect((await consumer.claim(1)).unreadable).toHaveLength(1)
    expect((await broker.deadLetters.list())[0]).toMatchObject({ envelope: 'not json', task: undefined })
  })

  it('retries and purges many dead letters by what they have in common, oldest first', async () => {
    const broker = await makeBroker()
    const consumer = await buryTasks(broker, 'a', 'b', 'c', 'b', 'd')
    expect(await broker.deadLetters.purge({ code: 'B' })).toBe(2)
    expect(await broker.deadLetters.retry({ queue: 'q', diedBefore: new Date(Date.now() + 60_000) })).toBe(3)
    expect((await consumer.claim(9)).deliveries.map(taskOf)).toEqual(['a', 'c', 'd'])
    await buryTasks(broker, 'e', 'f', 'g')
    const [newest] = await broker.deadLetters.list()
    expect(await broker.deadLetters.purge({ ids: [newest?.id ?? ''] })).toBe(1)
    expect((await broker.deadLetters.list()).map(({ task }) => task)).toEqual(['f', 'e'])
    expect(await broker.deadLetters.purge('all')).toBe(2)
    expect(await broker.deadLetters.count()).toBe(0)
    expect(await broker.deadLetters.purge('all')).toBe(0)
  })

  it('takes no empty filter for all', async () => {
    const broker = await makeBroker()
    await buryTasks(broker, 'a')
    for (const filter of [{}, { ids: undefined, code: undefined }]) {
      await expect(broker.deadLetters.purge(filter)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(broker.deadLetters.retry(filter)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    expect(await broker.deadLetters.purge({ ids: [] })).toBe(0)
    expect(await broker.deadLetters.count()).toBe(1)
  })

  it('row 21: keeps so many dead letters as it was told, the newest', async () => {
    const broker = await makeBroker({ maxCount: 3, expiresSeconds: 0 })
    const consumer = await buryTasks(broker, 'a', 'b', 'c', 'd', 'e')
    expect((await broker.deadLetters.list()).map(({ task }) => task)).toEqual(['e', 'd', 'c'])
    await broker.publish({ queue: 'q', priority: 0, envelope: 'not json' })
    await consumer.claim(1)
    expect((await broker.deadLetters.list()).map(({ code }) => code)).toEqual(['UNREADABLE', 'E', 'D'])
  })
}
