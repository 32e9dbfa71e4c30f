import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { createTimedTag, sentAtOf } from '../../../src/serialization/timed-tag.js'

const timedTag = createTimedTag()

it('row 27: has the form of a UUID4, is never the same, and tells when it was made', () => {
  for (const at of [0, 1, 1_795_298_886_123, 2 ** 48 - 1]) {
    const tags = Array.from({ length: 1000 }, () => timedTag(at + 0.7))
    expect(new Set(tags).size).toBe(tags.length)
    for (const tag of tags) {
      expect(tag).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
      expect(sentAtOf(tag)).toBe(at)
    }
  }
})

it('row 27: is told from the tags of others', () => {
  const others = Array.from({ length: 1000 }, () => randomUUID())
  for (const tag of [...others, '', 'celery', 'handed-1', timedTag(5).toUpperCase(), `${timedTag(5)}-1`])
    expect(sentAtOf(tag)).toBeUndefined()
})
