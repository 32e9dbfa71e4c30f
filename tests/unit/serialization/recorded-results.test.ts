import { describe, expect, it } from 'vitest'
import { readException } from '../../../src/serialization/exceptions.js'
import { taskErrorFrom } from '../../../src/serialization/python-errors.js'
import { formatResultMeta, parseResultMeta } from '../../../src/serialization/result-meta.js'
import { EXCEPTION_STATES, isReady } from '../../../src/serialization/states.js'
import { recordedTexts } from './vectors.js'

interface WireMeta {
  status: string
  result: unknown
  traceback: string | null
  children: unknown[] | null
  date_done: string | null
  task_id: string
  group_id?: string
  parent_id?: string
  name?: string
  queue?: string
}

const metas = recordedTexts('{"status"').map((recorded) => ({
  ...recorded,
  wire: JSON.parse(recorded.text) as WireMeta,
}))

describe('every recorded result', () => {
  it('is found', () => {
    expect(metas.length).toBeGreaterThan(500)
  })

  it('parses to its own members', () => {
    for (const { where, text, wire } of metas) {
      const meta = parseResultMeta(text)
      expect(meta, where).toMatchObject({
        taskId: wire.task_id,
        status: wire.status,
        traceback: wire.traceback,
        children: wire.children ?? [],
        groupId: wire.group_id,
        parentId: wire.parent_id,
        name: wire.name,
        queue: wire.queue,
      })
      if (!text.includes('__type__')) expect(meta.result, where).toEqual(wire.result)
    }
  })

  it('has a date exactly when it has ended, naive ones in UTC', () => {
    for (const { where, text, wire } of metas) {
      const { dateDone } = parseResultMeta(text)
      const hasOffset = wire.date_done !== null && /[+-]\d\d:\d\d$/.test(wire.date_done)
      expect(dateDone?.getTime(), where).toBe(
        wire.date_done === null ? undefined : Date.parse(hasOffset ? wire.date_done : `${wire.date_done}Z`),
      )
      expect(dateDone !== undefined, where).toBe(isReady(wire.status))
    }
  })

  it('holds an exception in just the exception states, which becomes an error', () => {
    let failures = 0
    for (const { where, text, wire } of metas) {
      if (!EXCEPTION_STATES.has(wire.status) || text.includes('__type__')) continue
      const meta = parseResultMeta(text)
      expect(readException(meta.result), where).toEqual(wire.result)
      const error = taskErrorFrom(meta)
      expect(error.taskId, where).toBe(wire.task_id)
      expect({ exc_type: error.excType, exc_message: error.excMessage, exc_module: error.excModule }).toEqual(
        wire.result,
      )
      failures++
    }
    expect(failures).toBeGreaterThan(50)
  })

  it('is written again with the same keys in the same order', () => {
    for (const { where, text, wire } of metas) {
      if ('name' in wire) continue
      const meta = parseResultMeta(text)
      const written = JSON.parse(formatResultMeta(meta)) as WireMeta
      expect(Object.keys(written), where).toEqual(Object.keys(wire))
      const { date_done: dateDone, ...others } = written
      const { date_done: _recorded, ...wireOthers } = wire
      // Never null where we write: Must 10.3.
      expect(others, where).toEqual({ ...wireOthers, children: wire.children ?? [] })
      if (dateDone !== null) expect(dateDone).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
    }
  })
})
