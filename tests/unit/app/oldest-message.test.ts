import { expect, it } from 'vitest'
import { createOldestMessages } from '../../../src/app/oldest-message.js'
import { createTimedTag } from '../../../src/serialization/timed-tag.js'

const timedTag = createTimedTag()

type End = readonly [head: string, tail: string]

/** What is told of a queue at instants, whose lists have these ends then. */
function ages(...looks: (readonly [now: number, nextEta: number | undefined, ...ends: End[]])[]): number[] {
  const oldest = createOldestMessages()
  return looks.map(([now, nextEta, ...ends]) => {
    const lists = ends.map(([head, tail]) => ({ head, tail }))
    const queue = { queue: 'q', length: 0, scheduled: 0, nextEta, ends: lists }
    return oldest.ageMs(queue, { now, unacked: 0, queues: [queue] })
  })
}

const NONE: End = ['', '']

it('row 27: is exact for messages that tell, the oldest of all priorities', () => {
  const [old, middle, young] = [1000, 3000, 4000].map((at) => timedTag(at)) as [string, string, string]
  expect(
    ages([5000, undefined, [middle, young], NONE, [old, old]], [6000, undefined, [young, young]]),
  ).toEqual([4000, 2000])
})

it('row 27: is never negative, whatever a tag says', () => {
  expect(ages([1000, undefined, [timedTag(9000), timedTag(9000)]], [1000, 5000, NONE])).toEqual([0, 0])
})

it('row 27: of messages that do not tell is the time since they were first seen, at the head or the end', () => {
  expect(
    ages(
      [1000, undefined, ['a', 'c']],
      [2000, undefined, ['a', 'd']],
      // Nobody had seen it.
      [3000, undefined, ['b', 'd']],
      [4000, undefined, ['c', 'e']],
      [5000, undefined, ['d', 'e']],
      [6000, undefined, NONE],
      // It has come again.
      [7000, undefined, ['d', 'd']],
    ),
  ).toEqual([0, 1000, 0, 3000, 3000, 0, 0])
})

it('row 27: counts what waits in Redis for its ETA from then on', () => {
  expect(ages([5000, 2000, NONE], [5000, 9000, NONE])).toEqual([3000, 0])
})
