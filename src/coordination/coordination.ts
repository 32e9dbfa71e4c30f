/**
 * What workers and producers have to agree on beyond their queues: who may send, how often, how many at once. None of it
 * is Celery's; two implementations stand behind the interface, Redis and memory, and one suite runs on both.
 *
 * Nothing here outlives those who need it: each has an end that the owner puts off for as long as it lives.
 */
export interface Coordination {
  /**
   * Take a key for a task, unless another has it.
   *
   * @param forMs - Milliseconds for which it is kept at most.
   * @param from - id of a task that is to lose it, if it still has it.
   * @returns id of the task that has it now: this one's, or the other's.
   */
  takeUnique(key: string, taskId: string, forMs: number, from?: string): Promise<string>
  /** Keep it for so many milliseconds from now, if the task still has it. @returns whether it has. */
  keepUnique(key: string, taskId: string, forMs: number): Promise<boolean>
  /** Give it back, if the task still has it. */
  releaseUnique(key: string, taskId: string): Promise<void>
  /**
   * Reserve the next turn of those that follow each other every `intervalMs`.
   *
   * @param mostAheadMs - A turn that is farther away is not reserved.
   */
  reserveTurn(key: string, intervalMs: number, mostAheadMs: number): Promise<Turn>
  /**
   * Take one of `limit` slots. Asking again for the same holder changes nothing but the end of its time.
   *
   * @returns how many are free after that; undefined where none was.
   */
  takeSlot(key: string, holder: string, limit: number, forMs: number): Promise<number | undefined>
  /** Keep slots for so many milliseconds from now. One that was lost meanwhile counts again. */
  keepSlots(slots: readonly Slot[], forMs: number): Promise<void>
  releaseSlot(slot: Slot): Promise<void>
  close(): Promise<void>
}

export interface Slot {
  readonly key: string
  readonly holder: string
}

export interface Turn {
  readonly isReserved: boolean
  /** Milliseconds until it. */
  readonly waitMs: number
}
