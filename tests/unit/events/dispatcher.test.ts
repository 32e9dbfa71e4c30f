import { describe, expect, it, vi } from 'vitest'
import { createEventDispatcher, type EventDispatcher } from '../../../src/events/dispatcher.js'
import { createLogicalClock, type LogicalClock } from '../../../src/logical-clock.js'
import { exceptionRepr, taskStarted } from '../../../src/events/task-fields.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import { silentLog } from '../../../src/log.js'
import { utcOffsetHours } from '../../../src/events/event.js'
import { decodePayload } from '../../../src/serialization/decode-body.js'

interface Published {
  readonly routingKey: string
  readonly body: unknown
}

function start(): {
  dispatcher: EventDispatcher
  published: Published[]
  logicalClock: LogicalClock
  fail: (isAway: boolean) => void
} {
  const published: Published[] = []
  const logicalClock = createLogicalClock()
  let isAway = false
  const dispatcher = createEventDispatcher({
    fanout: {
      publish({ routingKey, envelope }) {
        if (isAway) return Promise.reject(new Error('away'))
        const payload = Buffer.from(decodePayload(parseEnvelope(String(envelope)))).toString()
        published.push({ routingKey, body: JSON.parse(payload) })
        return Promise.resolve(1)
      },
      listen: () => {
        throw new Error('nobody listens')
      },
      watch: () => ({ stop: () => undefined }),
    },
    exchange: 'celeryev',
    hostname: 'w@h',
    logicalClock,
    log: silentLog,
  })
  return { dispatcher, published, logicalClock, fail: (away) => (isAway = away) }
}

describe('events', () => {
  it('of one turn of the event loop go as one list, and their clock increases', async () => {
    const { dispatcher, published } = start()
    for (const uuid of ['a', 'b', 'c']) dispatcher.gather(taskStarted({ id: uuid }))
    await vi.waitFor(() => expect(published).toHaveLength(1))
    expect(published[0]?.routingKey).toBe('task.multi')
    const events = published[0]?.body as Record<string, unknown>[]
    expect(events.map(({ uuid, clock }) => [uuid, clock])).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
    expect(Object.keys(events[0] ?? {})).toEqual([
      ...['hostname', 'utcoffset', 'pid', 'clock', 'uuid', 'timestamp', 'type'],
    ])
  })

  it('carry the time and the clock of when they happened, not of when they are sent', async () => {
    const { dispatcher, published, logicalClock } = start()
    const begun = Date.now()
    vi.spyOn(Date, 'now')
      .mockReturnValueOnce(begun)
      .mockReturnValue(begun + 5000)
    dispatcher.gather(taskStarted({ id: 'a' }))
    logicalClock.adjust(41)
    dispatcher.gather(taskStarted({ id: 'b' }))
    await dispatcher.close()
    vi.restoreAllMocks()
    const events = published[0]?.body as Record<string, unknown>[]
    expect(events.map(({ clock, timestamp }) => [clock, timestamp])).toEqual([
      [1, begun / 1000],
      [43, begun / 1000 + 5],
    ])
  })

  it('are sent in lists of some 64 KiB', async () => {
    const { dispatcher, published } = start()
    const ids = Array.from({ length: 1000 }, (_, i) => `${i}`)
    for (const id of ids) dispatcher.gather(taskStarted({ id }))
    await dispatcher.close()
    const lists = published.map(({ body }) => body as Record<string, unknown>[])
    expect(lists.flat().map(({ uuid }) => uuid)).toEqual(ids)
    const longest = Math.max(...lists.map((list) => JSON.stringify(list).length))
    expect(longest).toBeGreaterThan(65_536)
    expect(longest).toBeLessThan(66_536)
  })

  it('that are sent by themselves come after those that were gathered before', async () => {
    const { dispatcher, published } = start()
    dispatcher.gather(taskStarted({ id: 'a' }))
    await dispatcher.send('task-progress', { uuid: 'a', done: 0.5 })
    dispatcher.gather(taskStarted({ id: 'b' }))
    await dispatcher.close()
    expect(published.map(({ routingKey }) => routingKey)).toEqual([
      'task.multi',
      'task.progress',
      'task.multi',
    ])
  })

  it('are kept while the broker is away, and sent in their order when it is back', async () => {
    const { dispatcher, published, fail } = start()
    fail(true)
    await dispatcher.send('worker-online', {})
    dispatcher.gather(taskStarted({ id: 'a' }))
    await dispatcher.flush()
    await dispatcher.send('task-progress', { uuid: 'a' })
    expect(published).toEqual([])
    fail(false)
    await vi.waitFor(() => expect(published).toHaveLength(3), 10_000)
    expect(published.map(({ routingKey }) => routingKey)).toEqual([
      'worker.online',
      'task.multi',
      'task.progress',
    ])
    await dispatcher.close()
  })

  it('are dropped, the oldest first, where too many are kept', async () => {
    const { dispatcher, published, fail } = start()
    fail(true)
    const filler = 'x'.repeat(1_000_000)
    for (let i = 0; i < 6; i++) await dispatcher.send('worker-x', { i, filler })
    fail(false)
    await dispatcher.close()
    const numbers = published.map(({ body }) => (body as { i: number }).i)
    expect(numbers.length).toBeGreaterThan(2)
    expect(numbers).toEqual([0, 1, 2, 3, 4, 5].slice(-numbers.length))
    expect(numbers.length).toBeLessThan(5)
  })

  it('have whole hours west of UTC, rounded down', () => {
    const zone = (minutesWest: number): number =>
      utcOffsetHours({ getTimezoneOffset: () => minutesWest } as Date)
    expect([-60, -120, 300, -330, 0, -0].map(zone)).toEqual([-1, -2, 5, -6, 0, 0])
  })
})

describe('the text of an exception', () => {
  it.each([
    [['boom'], "ValueError('boom')"],
    [[], 'ValueError()'],
    [["it's"], 'ValueError("it\'s")'],
    [['"both" and \''], "ValueError('\"both\" and \\'')"],
    [['a\nb\t\\\x01'], "ValueError('a\\nb\\t\\\\\\x01')"],
    [[404, 'no', null, [1]], "ValueError(404, 'no', None, [1])"],
  ])('%j is as Python’s repr has it', (args, expected) => {
    const exception = { exc_type: 'ValueError', exc_message: args, exc_module: 'builtins' }
    expect(exceptionRepr(exception)).toBe(expected)
  })
})
