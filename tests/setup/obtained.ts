/** Something the tests need, once it is there or known to be out of reach. */
export interface Obtained {
  /** For the one line that says what was got and from where. */
  readonly line: string
  /** Environment variables by which the tests find it; a `TEST_WITHOUT_…` says why they will not. */
  readonly env: Readonly<Record<string, string>>
  /** Gives back what was borrowed for the length of the run. */
  readonly release?: () => Promise<void>
}
