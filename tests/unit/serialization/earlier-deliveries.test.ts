import { describe, expect, it } from 'vitest'
import { encodeTaskMessage } from '../../../src/serialization/outgoing-task.js'
import { markRedelivered } from '../../../src/serialization/mark-redelivered.js'
import { parseEnvelope } from '../../../src/serialization/envelope.js'
import {
  countLoss,
  forgetLosses,
  keepCount,
  markBegun,
  readEarlierDeliveries,
  scanEarlierDeliveries,
  type EarlierDeliveries,
} from '../../../src/serialization/earlier-deliveries.js'
import { BadEnvelopeError } from '../../../src/serialization/errors.js'

const fresh = encodeTaskMessage({ id: 'id-1', task: 'a', queue: 'q', args: ['ünïcode 🌿'] })
const at = new Date('2026-11-20T10:00:00.000Z')
const died = { at, cause: 'WORKER_LOST', worker: 'celery@one' } as const

/** As a worker reads it, and as whoever puts it back does: both have to agree. */
function read(text: string): EarlierDeliveries {
  const earlier = readEarlierDeliveries(parseEnvelope(text))
  expect(scanEarlierDeliveries(text)).toEqual(earlier)
  return earlier
}

describe('the count of earlier deliveries', () => {
  it('is nothing for a new message, and costs it no byte', () => {
    expect(read(fresh)).toEqual({ count: 0, lost: 0, hasBegun: false, history: [] })
    expect(fresh).not.toContain('"lovage"')
  })

  it('stands in one property, beside the flags of a restored message; all else stays as it was', () => {
    const lost = countLoss(fresh, died)
    const property =
      ', "lovage": {"deliveries":1,"lost":1,"history":[{"at":"2026-11-20T10:00:00.000Z","cause":"WORKER_LOST",' +
      '"worker":"celery@one"}]}'
    expect(lost).toBe(`${markRedelivered(fresh).slice(0, -2)}${property}}}`)
    expect(read(lost)).toEqual({
      count: 1,
      lost: 1,
      hasBegun: false,
      history: [{ at, cause: 'WORKER_LOST', worker: 'celery@one', hasBegun: false }],
    })
  })

  it('goes up with the first loss, and then only where the task had begun', () => {
    const once = countLoss(fresh, died)
    const twice = countLoss(once, died)
    expect(read(twice)).toMatchObject({ count: 2, lost: 1, hasBegun: false })
    const begun = countLoss(markBegun(twice), died)
    expect(read(begun)).toMatchObject({ count: 3, lost: 2, hasBegun: true })
    expect(read(countLoss(begun, died))).toMatchObject({ count: 4, lost: 2, hasBegun: false })
    expect(read(countLoss(markBegun(fresh), died))).toMatchObject({ count: 1, lost: 1, hasBegun: true })
  })

  it('goes up with what a Python worker lost, of which nobody knows whether it had begun, and with a requeue', () => {
    let text = fresh
    for (const cause of ['VISIBILITY_TIMEOUT', 'REQUEUED', 'VISIBILITY_TIMEOUT'] as const) {
      text = countLoss(text, { at, cause })
    }
    expect(read(text)).toMatchObject({ count: 3, lost: 3 })
    expect(read(text).history.map(({ worker }) => worker)).toEqual([undefined, undefined, undefined])
  })

  it('stays what it is where a Python worker held a message for its ETA only', () => {
    const eta = new Date(at.getTime() + 3_600_000)
    const later = encodeTaskMessage({ id: 'id-2', task: 'a', queue: 'q', eta })
    const swept = countLoss(later, { at, cause: 'VISIBILITY_TIMEOUT' })
    expect(read(swept)).toMatchObject({ count: 0, lost: 0 })
    expect(parseEnvelope(swept).headers.redelivered).toBe(true)
    expect(read(countLoss(swept, { at: eta, cause: 'VISIBILITY_TIMEOUT' }))).toMatchObject({
      count: 1,
      lost: 1,
    })
    expect(read(countLoss(later.replace(/"eta":"[^"]*"/, '"eta":"soon"'), died))).toMatchObject({ count: 1 })
  })

  it('knows a message that a Python worker restored by its flag alone', () => {
    const restored = markRedelivered(fresh)
    expect(read(restored)).toEqual({ count: 1, lost: 1, hasBegun: false, history: [] })
    expect(read(countLoss(restored, died))).toMatchObject({ count: 2, lost: 1 })
  })

  it('counts what had begun here when a Python worker restored it, who writes nothing but the flag', () => {
    const swept = markRedelivered(markBegun(countLoss(fresh, died)))
    expect(read(swept)).toMatchObject({ count: 2, lost: 2, hasBegun: true })
    expect(read(countLoss(swept, { at, cause: 'REQUEUED' }))).toMatchObject({ count: 3, lost: 3 })
  })

  it('stays what it is at a stop, however often', () => {
    for (const [text, count] of [
      [fresh, 0],
      [markRedelivered(fresh), 1],
      [countLoss(fresh, died), 1],
    ] as const) {
      const released = keepCount(keepCount(text))
      expect(read(released)).toMatchObject({ count, lost: count })
      expect(parseEnvelope(released).headers.redelivered).toBe(true)
      expect(read(countLoss(released, died))).toMatchObject({ count: count + 1, lost: 1 })
    }
  })

  it('begins anew when it is forgotten, and nothing is written where there was nothing to forget', () => {
    expect(forgetLosses(fresh)).toBe(fresh)
    for (const text of [countLoss(fresh, died), markRedelivered(fresh), markBegun(keepCount(fresh))]) {
      const forgotten = forgetLosses(text)
      expect(read(forgotten)).toEqual({ count: 0, lost: 0, hasBegun: false, history: [] })
      expect(parseEnvelope(forgotten).body).toBe(parseEnvelope(fresh).body)
      expect(forgetLosses(forgotten)).toBe(forgotten)
    }
  })

  it('is not misled by what others may write there', () => {
    for (const own of [
      '7',
      '"x"',
      '[]',
      '{}',
      '{"deliveries":-3,"lost":1e99}',
      '{"history":[1,{"at":"x"}]}',
    ]) {
      const text = fresh.replace('"properties":{', `"properties":{"lovage":${own},`)
      expect(read(text)).toMatchObject({ count: 0, lost: 0, history: [] })
      expect(read(countLoss(text, died))).toMatchObject({ count: 1, lost: 1 })
    }
    const badDate =
      '{"deliveries":1,"lost":1,"history":[{"at":"never","cause":"WORKER_LOST"},{"at":1,"cause":"REQUEUED"}]}'
    const text = fresh.replace('"properties":{', `"properties":{"lovage":${badDate},`)
    expect(read(countLoss(text, died))).toMatchObject({ count: 2, lost: 1 })
  })

  it('is left out where a message has no properties; such a one cannot run', () => {
    expect(countLoss('{"headers":{}}', died)).toBe('{"headers":{"redelivered": true}}')
    expect(countLoss('{"properties":{}}', died)).toContain('{"properties":{"lovage": {"deliveries":1,')
    expect(() => countLoss('not json', died)).toThrow(BadEnvelopeError)
  })
})
