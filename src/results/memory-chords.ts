import { parseChordPart, type ReturnedPart } from '../serialization/chord-part.js'
import type { Serializer } from '../serialization/serializers.js'
import type { ChordPart, Chords, ChordStanding } from './chords.js'

interface Chord {
  size: number | undefined
  readonly added: Set<string>
  readonly parts: Map<string, ChordPart>
  /** Task id of the part whose bringer completes the chord. */
  sender: string | undefined
  isOver: boolean
}

/** Chords in the memory of one process. */
export function createMemoryChords(serializer: Serializer | undefined): Chords {
  const chords = new Map<string, Chord>()

  const chordOf = (groupId: string): Chord => {
    let chord = chords.get(groupId)
    if (chord === undefined) {
      chord = { size: undefined, added: new Set(), parts: new Map(), sender: undefined, isOver: false }
      chords.set(groupId, chord)
    }
    return chord
  }

  const addPart = (part: ChordPart): ChordStanding => {
    const chord = chordOf(part.groupId)
    const { parts, added } = chord
    if (chord.isOver) return 'over'
    const earlier = parts.get(part.taskId)
    if (earlier === undefined || (earlier.status !== 'SUCCESS' && part.status === 'SUCCESS'))
      parts.set(part.taskId, part)
    const size = chord.size ?? part.chordSize
    if (size === undefined || parts.size !== size + added.size) return 'waiting'
    chord.sender ??= part.taskId
    return chord.sender === part.taskId ? 'last' : 'waiting'
  }

  return {
    start(groupId, size) {
      chordOf(groupId).size = size
      return Promise.resolve()
    },
    extend(groupId, taskIds) {
      for (const taskId of taskIds) chordOf(groupId).added.add(taskId)
      return Promise.resolve()
    },
    addParts: (parts) => Promise.resolve(parts.map(addPart)),
    parts(groupId): Promise<ReturnedPart[]> {
      const parts = [...(chords.get(groupId)?.parts.values() ?? [])]
      parts.sort((a, b) => (a.groupIndex ?? Infinity) - (b.groupIndex ?? Infinity) || 0)
      return Promise.resolve(parts.map(({ text }) => parseChordPart(Buffer.from(text), serializer)))
    },
    traces(groupId, taskIds) {
      const parts = chords.get(groupId)?.parts
      return Promise.resolve(taskIds.flatMap((id) => parts?.get(id)?.trace ?? []))
    },
    end(groupId) {
      const chord = chordOf(groupId)
      chord.parts.clear()
      chord.added.clear()
      chord.isOver = true
      return Promise.resolve()
    },
  }
}
