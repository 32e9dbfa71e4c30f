import type { ReturnedPart } from '../serialization/chord-part.js'

/** A part of a chord's header that returned, ready to record. */
export interface ChordPart {
  readonly groupId: string
  /** Place of its result among the body's argument; undefined for a task that was added while the header ran. */
  readonly groupIndex: number | undefined
  readonly taskId: string
  /** SUCCESS, FAILURE or REVOKED. */
  readonly status: string
  /** As `formatChordPart` writes it. */
  readonly text: string | Uint8Array
  /** Celery up to 5.0 says it in the body's signature (`chord_size`) instead of storing it. */
  readonly chordSize?: number | undefined
  /** Names the span of its task, so that the body can be linked to it; undefined where nobody asks for that. */
  readonly trace?: string | undefined
}

/**
 * Where a chord stands for one of its parts:
 *
 * - `waiting`: nothing to do. Others are still to come, or another part is the one to complete the chord.
 * - `last`: whoever brought this part completes the chord: reads the parts, sends the body or the errbacks, ends the
 *   chord, and acknowledges the part's message after that. Said again to the same part, until the chord is ended.
 * - `over`: the chord was ended; the part was recorded before, or nobody asks for it any more.
 */
export type ChordStanding = 'waiting' | 'last' | 'over'

/**
 * Counts the parts of chords, together with Python workers (wire protocol, sections 11.2 to 11.4). Every call may be
 * repeated. Without a call for as long as results are kept, and no less than a day, a chord is forgotten.
 */
export interface Chords {
  /**
   * Say how many parts will return, before the last of them is sent.
   *
   * @param size - Tasks that report: a chain counts as one, a chord inside as one, a group inside as its members.
   */
  start(groupId: string, size: number): Promise<void>
  /** Expect these tasks' parts as well; before the tasks are sent. An id counts once. */
  extend(groupId: string, taskIds: readonly string[]): Promise<void>
  /**
   * Record parts of any chords after their results are stored. A task's part counts once, however often it is
   * delivered; of several, a success is kept.
   *
   * @returns For each part, in the same order.
   */
  addParts(parts: readonly ChordPart[]): Promise<ChordStanding[]>
  /** What returned so far, in the order of the body's argument. @throws UnreadableResultError */
  parts(groupId: string): Promise<ReturnedPart[]>
  /** What was recorded with the parts of these tasks as their `trace`. */
  traces(groupId: string, taskIds: readonly string[]): Promise<string[]>
  /** The body, or the errbacks, are sent: forget the parts, and that any more are to come. */
  end(groupId: string): Promise<void>
}
