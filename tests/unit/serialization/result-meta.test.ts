import { describe, expect, it } from 'vitest'
import { EncodeError, UnreadableResultError } from '../../../src/serialization/errors.js'
import { formatResultMeta, parseResultMeta } from '../../../src/serialization/result-meta.js'
import { serializerNamed } from '../../../src/serialization/serializers.js'
import { scenario } from './vectors.js'

const dateDone = new Date('2026-11-20T21:06:50.028Z')

describe('formatResultMeta', () => {
  it('Must 10.3: writes all six base keys in order, result and children even when there are none', () => {
    expect(formatResultMeta({ taskId: 'i', status: 'PROGRESS', result: undefined })).toBe(
      '{"status":"PROGRESS","result":null,"traceback":null,"children":[],"date_done":null,"task_id":"i"}',
    )
  })

  it('Must 10.4: writes date_done with an offset and six digits', () => {
    expect(formatResultMeta({ taskId: 'i', status: 'SUCCESS', result: 1, dateDone })).toContain(
      '"date_done":"2026-11-20T21:06:50.028000+00:00"',
    )
  })

  it('Section 10.2: has the keys of result_extended where Celery has them', () => {
    const stored = Object.values(scenario('celery-5.6.3', 'result_extended').find(isRetried)?.keys ?? {})[0]
    const wire = JSON.parse(String(stored?.value)) as Record<string, unknown>
    const written = formatResultMeta({
      taskId: String(wire['task_id']),
      status: 'SUCCESS',
      result: wire['result'],
      dateDone,
      parentId: String(wire['parent_id']),
      extended: {
        name: 'v.retry',
        args: [1],
        kwargs: { countdown: 1.5 },
        worker: 'w1@vector-host',
        retries: 1,
        queue: 'celery',
      },
    })
    const ours = JSON.parse(written) as Record<string, unknown>
    expect(Object.keys(ours)).toEqual(Object.keys(wire))
    expect({ ...ours, date_done: '' }).toEqual({ ...wire, date_done: '' })
    expect(parseResultMeta(written)).toMatchObject({
      name: 'v.retry',
      worker: 'w1@vector-host',
      retries: 1,
      queue: 'celery',
    })
  })

  it('Section 10.2: adds stamps to the extended keys', () => {
    const extended = { name: 'n', args: [], kwargs: {}, worker: 'w', retries: 0, queue: 'q' }
    const meta = { taskId: 'i', status: 'SUCCESS', result: 1, groupId: 'g' }
    const stamped = { ...extended, stampedHeaders: ['s'], stamps: { s: 'v' } }
    expect(
      Object.keys(JSON.parse(formatResultMeta({ ...meta, extended: stamped })) as object).slice(5),
    ).toEqual([
      'group_id',
      'name',
      'args',
      'kwargs',
      'worker',
      'retries',
      'queue',
      'stamped_headers',
      's',
      'task_id',
    ])
    expect(formatResultMeta({ ...meta, extended })).not.toContain('stamped')
    expect(parseResultMeta(formatResultMeta({ ...meta, extended: stamped })).stamps).toEqual({ s: 'v' })
    const unlisted = { ...stamped, stamps: { s: 'v', task_id: 'another' } }
    expect(parseResultMeta(formatResultMeta({ ...meta, extended: unlisted })).taskId).toBe('i')
  })

  it('names the place of a result that cannot be written', () => {
    const meta = { taskId: 'i', status: 'SUCCESS', result: { rows: [NaN] } }
    expect(() => formatResultMeta(meta)).toThrow(EncodeError)
    expect(() => formatResultMeta(meta)).toThrow('result.rows[0] is NaN')
  })

  it.each(['json', 'yaml', 'msgpack'])('Section 10.7: is read back from %s', (name) => {
    const serializer = serializerNamed(name)
    const stored = formatResultMeta(
      { taskId: 'i', status: 'SUCCESS', result: [1], dateDone },
      'tagged',
      serializer,
    )
    expect(parseResultMeta(stored, serializer)).toMatchObject({
      taskId: 'i',
      status: 'SUCCESS',
      result: [1],
      dateDone,
    })
  })
})

describe('parseResultMeta', () => {
  it('Section 10.5: reads what a Python client reads, and refuses what lacks a key it insists on', () => {
    for (const { text = '', raw = '' } of scenario('celery-5.6.3', 'result_accepts')) {
      if (/^no (task_id|result|status)$/.test(text)) {
        expect(() => parseResultMeta(raw), text).toThrow(UnreadableResultError)
      } else {
        const wire = JSON.parse(raw) as Record<string, unknown>
        expect(parseResultMeta(raw), text).toMatchObject({ taskId: wire['task_id'], status: wire['status'] })
      }
    }
  })

  it('Must 10.4: reads a date without an offset as UTC, and does not lose a result to a bad one', () => {
    const meta = { status: 'SUCCESS', result: 5, task_id: 'i' }
    const read = (date: unknown): Date | undefined =>
      parseResultMeta(JSON.stringify({ ...meta, date_done: date })).dateDone
    expect(read('2026-11-20T20:54:28.652876')).toEqual(new Date('2026-11-20T20:54:28.652Z'))
    expect(read('2026-11-20T21:54:28+01:00')).toEqual(new Date('2026-11-20T20:54:28Z'))
    for (const date of ['soon', 5, null]) expect(read(date)).toBeUndefined()
  })

  it('refuses what is no result, with the task id where it is known', () => {
    for (const stored of ['', 'null', '[]', 'text', '{}', new Uint8Array([0x80, 4])]) {
      expect(() => parseResultMeta(stored)).toThrow(UnreadableResultError)
    }
    expect(() => parseResultMeta('{"task_id":"i"}')).toThrow(expect.objectContaining({ taskId: 'i' }))
    expect(() => parseResultMeta('[1', serializerNamed('yaml'))).toThrow(UnreadableResultError)
  })
})

function isRetried({ label }: { readonly label?: string }): boolean {
  return label === 'SUCCESS after a retry'
}
