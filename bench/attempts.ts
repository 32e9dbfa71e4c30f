/** What a measurement gave, or why there is none. */
export type Outcome<Seen> = { readonly seen: Seen } | { readonly failure: string }

/** Measures, and puts up with what fails. */
export interface Attempts {
  /**
   * What fails, takes longer than `longestMs` or is interrupted has failed, and its reason is noted.
   *
   * @param measure - Is to end, and with it the processes that it started, when its signal aborts.
   */
  attempt<Seen>(
    this: void,
    what: string,
    longestMs: number,
    measure: (signal: AbortSignal) => Promise<Seen>,
  ): Promise<Outcome<Seen>>
  /** How many of them have failed so far. */
  failed(this: void): number
}

/** @param interrupted - Aborts when nothing more is to be measured, with the reason. */
export function createAttempts(interrupted: AbortSignal, say: (line: string) => void): Attempts {
  let failed = 0
  return {
    async attempt(what, longestMs, measure) {
      const ending = new AbortController()
      const overdue = (): void => ending.abort(new Error(`took longer than ${longestMs / 1000} s`))
      const interrupt = (): void => ending.abort(interrupted.reason)
      const timer = setTimeout(overdue, longestMs)
      interrupted.addEventListener('abort', interrupt)
      try {
        interrupted.throwIfAborted()
        say(what)
        return { seen: await measure(ending.signal) }
      } catch (error) {
        failed += 1
        // A process that is killed for it says only that it has ended.
        const cause: unknown = ending.signal.aborted ? ending.signal.reason : error
        const text = cause instanceof Error ? cause.message : String(cause)
        if (!interrupted.aborted) say(`${what} failed: ${text}`)
        return { failure: inOneLine(text) }
      } finally {
        clearTimeout(timer)
        interrupted.removeEventListener('abort', interrupt)
      }
    },
    failed: () => failed,
  }
}

/** What happened, and the last that the process printed. */
function inOneLine(text: string): string {
  const lines = text.trimEnd().split('\n')
  return lines.length === 1 ? text : `${lines[0] ?? ''} ${lines.at(-1)?.trim() ?? ''}`
}

/** A line of a table, and how to measure it. */
export interface Contender<Seen> {
  readonly peer: string
  readonly label: string
  /** Lines are compared with ours of the same kind. */
  readonly kind: string
  readonly longestMs: number
  readonly measure: (signal: AbortSignal) => Promise<Seen>
}

/** A line of a table, as far as it could be measured. */
export interface Line<Seen> {
  readonly peer: string
  readonly label: string
  readonly kind: string
  /** One for each round that succeeded. */
  readonly seen: readonly Seen[]
  /** The reason of each that did not. */
  readonly failures: readonly string[]
}

/** Measure each contender once a round. */
export async function inRounds<Seen>(
  contenders: readonly Contender<Seen>[],
  rounds: number,
  { attempt }: Attempts,
): Promise<Line<Seen>[]> {
  const lines = contenders.map((contender) => ({
    contender,
    seen: [] as Seen[],
    failures: [] as string[],
  }))
  for (let round = 0; round < rounds; round += 1) {
    // Whoever went first goes last in the next round: a machine that slows down treats all alike.
    const first = round % Math.max(1, lines.length)
    for (const { contender, seen, failures } of [...lines.slice(first), ...lines.slice(0, first)]) {
      const what = `round ${round + 1} of ${rounds}: ${contender.label}`
      const outcome = await attempt(what, contender.longestMs, contender.measure)
      if ('seen' in outcome) seen.push(outcome.seen)
      else failures.push(outcome.failure)
    }
  }
  return lines.map(({ contender: { peer, label, kind }, seen, failures }) => ({
    peer,
    label,
    kind,
    seen,
    failures,
  }))
}
