import { expect, it } from 'vitest'
import { tickTaskId } from '../../../src/beat/tick-task-id.js'

const dueAt = new Date('2024-05-10T10:00:00Z')

it('is the same for the same tick, and a UUID of version 5', () => {
  const id = tickTaskId('daily', dueAt)
  expect(tickTaskId('daily', new Date(dueAt))).toBe(id)
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  // As `uuid.uuid5` of Python gives it.
  expect(id).toBe('48816951-2b80-55f4-a3fb-b6828a651293')
})

it('is another for another entry or another tick', () => {
  expect(tickTaskId('weekly', dueAt)).not.toBe(tickTaskId('daily', dueAt))
  expect(tickTaskId('daily', new Date(dueAt.getTime() + 60_000))).not.toBe(tickTaskId('daily', dueAt))
})
