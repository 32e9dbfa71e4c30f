import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { formatChordPart } from '../../../src/serialization/chord-part.js'
import { taskTuple, type ResultTuple } from '../../../src/serialization/result-tuple.js'
import type { ChordPart } from '../../../src/results/chords.js'
import type { MakeBackend } from './conformance.js'

/** A part of the task `<group>-<index>`, or of another id. */
export function part(
  groupId: string,
  groupIndex: number | undefined,
  result: unknown,
  more: { readonly taskId?: string; readonly status?: string; readonly chordSize?: number } = {},
): ChordPart {
  const { taskId = `${groupId}-${groupIndex}`, status = 'SUCCESS', chordSize } = more
  return {
    groupId,
    groupIndex,
    taskId,
    status,
    chordSize,
    text: formatChordPart({ taskId, status, result }),
  }
}

/** What every result backend does for groups and chords. */
export function describeGroupsAndChords(makeBackend: MakeBackend): void {
  it('Must 11.1: saves a group, gives it back and forgets it', async () => {
    const backend = await makeBackend()
    const id = randomUUID()
    const group: ResultTuple = [
      [id, taskTuple('parent')],
      [taskTuple('one'), [['inner', null], [taskTuple('two')]]],
    ]
    expect(await backend.restoreGroup(id)).toBeUndefined()
    await backend.saveGroup(id, group)
    expect(await backend.restoreGroup(id)).toEqual(group)
    await backend.deleteGroup(id)
    expect(await backend.restoreGroup(id)).toBeUndefined()
  })

  it('Must 11.3: names the last part of a chord, once, and orders the parts by their index', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 3)
    expect(await chords.addParts([part(group, 2, 'c')])).toEqual(['waiting'])
    expect(await chords.addParts([part(group, 0, 'a')])).toEqual(['waiting'])
    expect(await chords.addParts([part(group, 1, 'b')])).toEqual(['last'])
    const parts = await chords.parts(group)
    expect(parts.map(({ result }) => result)).toEqual(['a', 'b', 'c'])
    expect(parts[1]).toEqual({ taskId: `${group}-1`, status: 'SUCCESS', result: 'b' })
    await chords.end(group)
    expect(await chords.parts(group)).toEqual([])
  })

  it('Must 11.4: records failed parts as well', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    const exception = { exc_type: 'ValueError', exc_message: ['bad'], exc_module: 'builtins' }
    await chords.start(group, 2)
    await chords.addParts([part(group, 0, 1)])
    expect(await chords.addParts([part(group, 1, exception, { status: 'FAILURE' })])).toEqual(['last'])
    expect((await chords.parts(group))[1]).toMatchObject({ status: 'FAILURE', result: exception })
  })

  it('row 43: keeps the names of spans that come with parts, until the chord is ended', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 3)
    await chords.addParts([{ ...part(group, 0, 1), trace: 'one' }, part(group, 1, 2)])
    await chords.addParts([{ ...part(group, 2, 3), trace: 'three' }])
    const ids = [0, 1, 2].map((index) => `${group}-${index}`)
    expect(await chords.traces(group, ids)).toEqual(['one', 'three'])
    expect(await chords.traces(group, ids.slice(1, 2))).toEqual([])
    expect(await chords.traces(group, [])).toEqual([])
    await chords.end(group)
    expect(await chords.traces(group, ids)).toEqual([])
  })

  it('takes parts before it knows how many there are', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    expect(await chords.addParts([part(group, 0, 1)])).toEqual(['waiting'])
    await chords.start(group, 2)
    expect(await chords.addParts([part(group, 1, 2)])).toEqual(['last'])
  })

  it('takes parts of several chords at once', async () => {
    const { chords } = await makeBackend()
    const [one, other] = [randomUUID(), randomUUID()]
    await chords.start(one, 2)
    await chords.start(other, 1)
    const parts = [part(one, 0, 1), part(other, 0, 1), part(one, 1, 2)]
    expect(await chords.addParts(parts)).toEqual(['waiting', 'last', 'last'])
  })

  it('row 8: a task that is delivered again counts once, whatever it returns then', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 2)
    await chords.addParts([part(group, 0, 'first')])
    expect(await chords.addParts([part(group, 0, 'second')])).toEqual(['waiting'])
    expect(await chords.addParts([part(group, 1, 'other')])).toEqual(['last'])
    const parts = await chords.parts(group)
    expect(parts.map(({ result }) => result)).toEqual(['first', 'other'])
  })

  it('row 8: tells the last part again that it was the last until the chord is ended, and no other', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 2)
    await chords.addParts([part(group, 0, 1), part(group, 1, 2)])
    expect(await chords.addParts([part(group, 0, 1)])).toEqual(['waiting'])
    expect(await chords.addParts([part(group, 1, 'another result')])).toEqual(['last'])
    await chords.end(group)
    expect(await chords.addParts([part(group, 1, 2), part(group, 0, 1)])).toEqual(['over', 'over'])
    expect(await chords.parts(group)).toEqual([])
  })

  it('row 8: a part that failed may still succeed, as its result may, and not the other way round', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 3)
    await chords.addParts([part(group, 0, null, { status: 'FAILURE' }), part(group, 1, 'good')])
    const again = [part(group, 0, 'better'), part(group, 1, null, { status: 'FAILURE' })]
    expect(await chords.addParts(again)).toEqual(['waiting', 'waiting'])
    const parts = await chords.parts(group)
    expect(parts.map(({ result }) => result)).toEqual(['better', 'good'])
  })

  it('row 8: one of many that bring the last parts at the same time is the last', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 50)
    const parts = Array.from({ length: 50 }, (_, i) => part(group, i, i))
    const standings = await Promise.all([...parts, ...parts].map((each) => chords.addParts([each])))
    const last = standings.flatMap(([standing], i) => (standing === 'last' ? [i % 50] : []))
    expect(new Set(last).size).toBe(1)
  })

  it('does not take a chord that is over for a new one when its header is sent again', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 1)
    await chords.addParts([part(group, 0, 1)])
    await chords.end(group)
    await chords.start(group, 1)
    expect(await chords.addParts([part(group, 0, 1)])).toEqual(['over'])
  })

  it('waits for tasks that were added while the header ran, each once', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    await chords.start(group, 1)
    await chords.extend(group, ['added'])
    await chords.extend(group, ['added'])
    expect(await chords.addParts([part(group, 0, 1)])).toEqual(['waiting'])
    expect(await chords.addParts([part(group, undefined, 2, { taskId: 'added' })])).toEqual(['last'])
    const parts = await chords.parts(group)
    expect(parts.map(({ taskId }) => taskId)).toEqual([`${group}-0`, 'added'])
  })

  it('knows the size of a chord of an older Celery from its body', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    expect(await chords.addParts([part(group, 0, 1, { chordSize: 2 })])).toEqual(['waiting'])
    expect(await chords.addParts([part(group, 1, 2, { chordSize: 2 })])).toEqual(['last'])
  })

  it('keeps more parts than one command reads', async () => {
    const { chords } = await makeBackend()
    const group = randomUUID()
    const parts = Array.from({ length: 2500 }, (_, i) => part(group, i, i))
    await chords.start(group, 2500)
    const standings = await chords.addParts(parts.toReversed())
    expect(standings.map((standing) => standing === 'last').indexOf(true)).toBe(2499)
    const results = (await chords.parts(group)).map(({ result }) => result)
    expect(results).toEqual(parts.map((_, i) => i))
  })
}
