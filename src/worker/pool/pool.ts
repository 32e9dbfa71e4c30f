/** Where tasks run: a number of slots, and a line in front of them. */
export interface Pool {
  readonly concurrency: number
  /** How many run. */
  readonly active: number
  /** How many wait for a slot. */
  readonly reserved: number
  /** Run `work` as soon as a slot is free. It must not throw; the slot is its own until it settles. */
  submit(work: () => void | Promise<void>): void
  /** Forget what waits in line. */
  clear(): void
  /** Resolves when nothing runs. */
  idle(): Promise<void>
}
