import { count, ok, unseen, warning } from '../finding.js'
import { allSeen, observe, type Observation } from '../observe.js'
import { parseEnvelope, type Envelope } from '../../serialization/envelope.js'
import { LovageError } from '../../errors.js'
import { sentAtOf } from '../../serialization/timed-tag.js'
import type { Subject, SubjectCheck } from '../subject.js'

export const queueDepths: SubjectCheck = {
  name: 'queues',
  async look(subject) {
    const depths = await depthsOf(subject)
    if (depths.kind === 'unseen') return unseen('queues', depths.why)
    const { client, keys, queues } = subject
    const parked = await Promise.all(
      queues.map((queue) => observe('ZCARD', () => client.zcard(keys.parked(queue)))),
    )
    const waiting = queues.map((queue, i) => {
      const seen = parked[i]
      const later = seen?.kind === 'seen' && seen.value > 0 ? ` and ${seen.value} for later` : ''
      return `${queue} ${depths.value[i] ?? 0}${later}`
    })
    return ok('queues', waiting.join(', '))
  },
}

const OLD_SECONDS = 300

/** What is at the head of a queue and for how long, as far as can be told: Python's messages do not say when they were sent. */
export const oldestMessage: SubjectCheck = {
  name: 'oldest-message',
  async look(subject) {
    const { client, keys, queues } = subject
    const heads: Head[] = []
    const lists = queues.flatMap((queue) => keys.lists(queue).map((list) => ({ queue, list })))
    const asked = lists.map(async ({ queue, list }) => {
      // The order counts: to look at a list makes it look used.
      const [idle, element] = await Promise.all([
        observe('OBJECT IDLETIME', () => client.object('IDLETIME', list)),
        observe('LINDEX', () => client.lindex(list, -1)),
      ])
      return { queue, idle, element }
    })
    for (const { queue, idle, element } of await Promise.all(asked)) {
      if (element.kind === 'unseen') return unseen('oldest-message', element.why)
      if (element.value === null) continue
      const idleSeconds = idle.kind === 'seen' ? Number(idle.value ?? 0) : 0
      heads.push(describeHead(queue, element.value, idleSeconds, subject.clock.now()))
    }
    const [oldest] = heads.toSorted((a, b) => b.waitedSeconds - a.waitedSeconds)
    if (oldest === undefined) return ok('oldest-message', 'nothing waits')
    const found = `${oldest.name} at the head of ${oldest.queue}`
    if (oldest.waitedSeconds < OLD_SECONDS) return ok('oldest-message', found)
    const advice = 'start workers for this queue, or more of them'
    return warning('oldest-message', `${found} has waited ${atLeast(oldest.waitedSeconds)}`, advice)
  },
}

interface Head {
  readonly queue: string
  /** Task and id. */
  readonly name: string
  /** At least so long. */
  readonly waitedSeconds: number
}

function describeHead(queue: string, element: string, idleSeconds: number, now: number): Head {
  let envelope: Envelope
  try {
    envelope = parseEnvelope(element)
  } catch (error) {
    if (!(error instanceof LovageError)) throw error
    return { queue, name: 'what is no message', waitedSeconds: idleSeconds }
  }
  const { headers, properties } = envelope
  const name = typeof headers.task === 'string' ? `${headers.task}[${String(headers.id)}]` : 'a message'
  // It was sent before it fell due, and before anybody touched the list for the last time.
  const due = typeof headers.eta === 'string' ? Date.parse(headers.eta) : NaN
  const sent =
    sentAtOf(properties.delivery_tag) ??
    (typeof properties.timestamp === 'number' ? properties.timestamp * 1000 : NaN)
  const waits = [idleSeconds, (now - due) / 1000, (now - sent) / 1000].filter(
    (seconds) => !Number.isNaN(seconds),
  )
  return { queue, name, waitedSeconds: Math.max(...waits) }
}

function atLeast(seconds: number): string {
  if (seconds < 7200) return `at least ${Math.floor(seconds / 60)} minutes`
  return `at least ${Math.floor(seconds / 3600)} hours`
}

export const overdueUnacked: SubjectCheck = {
  name: 'unacked',
  async look({ client, keys, settings }) {
    const { visibilityTimeout } = settings.brokerTransportOptions
    const time = await observe('TIME', () => client.time())
    if (time.kind === 'unseen') return unseen('unacked', time.why)
    const before = Number(time.value[0]) - visibilityTimeout
    const held = await observe('ZCARD', () => client.zcard(keys.unackedIndex))
    const overdue = await observe('ZCOUNT', () => client.zcount(keys.unackedIndex, '-inf', before))
    if (held.kind === 'unseen') return unseen('unacked', held.why)
    if (overdue.kind === 'unseen') return unseen('unacked', overdue.why)
    const found = `${count(held.value, 'message')} held or parked`
    if (overdue.value === 0) return ok('unacked', found)
    return warning(
      'unacked',
      `${found}, ${overdue.value} past the visibility timeout of ${visibilityTimeout} s`,
      'start a worker: it puts back what a dead one has left',
    )
  },
}

export const livingWorkers: SubjectCheck = {
  name: 'workers',
  async look(subject) {
    const { client, keys } = subject
    const time = await observe('TIME', () => client.time())
    if (time.kind === 'unseen') return unseen('workers', time.why)
    const now = Number(time.value[0])
    const leases = await observe('ZCOUNT', () => client.zcount(keys.leases, now, '+inf'))
    const ended = await observe('ZCOUNT', () => client.zcount(keys.leases, '-inf', `(${now}`))
    if (leases.kind === 'unseen') return unseen('workers', leases.why)
    if (ended.kind === 'unseen') return unseen('workers', ended.why)
    const depths = await depthsOf(subject)
    const waiting = depths.kind === 'seen' ? sum(depths.value) : 0
    const found = `${leases.value} alive (Python’s hold no lease and are not counted)`
    if (leases.value === 0 && ended.value > 0) {
      const dead = `${found}, ${ended.value} dead with messages that are not put back`
      return warning('workers', dead, 'start a worker: it puts them back')
    }
    if (leases.value === 0 && waiting > 0) {
      return warning('workers', `${found}, and ${count(waiting, 'message')} waiting`, 'start a worker')
    }
    return ok('workers', found)
  },
}

export const deadLetterCount: SubjectCheck = {
  name: 'dead-letters',
  async look({ client, keys }) {
    const dead = await observe('ZCARD', () => client.zcard(keys.deadLetters[0]))
    if (dead.kind === 'unseen') return unseen('dead-letters', dead.why)
    if (dead.value === 0) return ok('dead-letters', 'none')
    const advice =
      'see why, then retry or purge them: lovage dead-letters (docs/operations.md, "Dead letters")'
    return warning('dead-letters', count(dead.value, 'message'), advice)
  },
}

/** Waiting messages by queue, over all priorities. */
async function depthsOf({ client, keys, queues }: Subject): Promise<Observation<number[]>> {
  const lengths = queues.map(async (queue) => {
    const lists = keys.lists(queue).map((list) => observe('LLEN', () => client.llen(list)))
    const seen = allSeen(await Promise.all(lists))
    return seen.kind === 'seen' ? { kind: 'seen' as const, value: sum(seen.value) } : seen
  })
  return allSeen(await Promise.all(lengths))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
