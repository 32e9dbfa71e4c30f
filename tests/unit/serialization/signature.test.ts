import { expect, it } from 'vitest'
import { InvalidTaskMessageError } from '../../../src/serialization/errors.js'
import { readSignature } from '../../../src/serialization/signature.js'
import { FOLDERS, scenario } from './vectors.js'

it.each(FOLDERS.slice(0, 2))('Section 12.1: every signature of %s is read as it is', (folder) => {
  const recorded = scenario(folder, 'signature_json').filter(({ raw }) => raw?.startsWith('{"task"'))
  expect(recorded.length).toBeGreaterThan(5)
  for (const { label, raw = '' } of recorded) {
    const signature: unknown = JSON.parse(raw)
    expect(readSignature(signature), label).toEqual(signature)
  }
})

it('Section 12.1: keeps unknown keys, and fills in what is missing or null', () => {
  const defaults = { args: [], kwargs: {}, options: {}, subtask_type: null, immutable: false }
  expect(readSignature({ task: 't' })).toEqual({ task: 't', ...defaults })
  expect(
    readSignature({ task: 't', args: null, kwargs: null, options: null, immutable: null, chord_size: 3 }),
  ).toEqual({
    task: 't',
    ...defaults,
    chord_size: 3,
  })
})

it('refuses what is no signature, naming the member', () => {
  for (const [value, message] of [
    [null, 'a signature must be an object, got null'],
    ['t', 'a signature must be an object'],
    [{}, "a signature's task must be a task name, got undefined"],
    [{ task: '' }, "a signature's task"],
    [{ task: 't', args: {} }, 'args of the signature of t must be a list'],
    [{ task: 't', kwargs: [] }, 'kwargs of the signature of t must be an object'],
    [{ task: 't', options: 'x' }, 'options of the signature of t'],
  ] as const) {
    expect(() => readSignature(value)).toThrow(InvalidTaskMessageError)
    expect(() => readSignature(value)).toThrow(message)
  }
})
