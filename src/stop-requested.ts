import type { Log } from './log.js'

const SIGNALS = [
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGQUIT', 3],
  ['SIGTERM', 15],
] as const

/** What signals ask of this process: SIGTERM, SIGINT, SIGHUP and SIGQUIT. */
export interface StopSignals {
  /** Resolves when it is to end. */
  readonly asked: Promise<NodeJS.Signals>
  /**
   * Resolves with the exit code when it is to end without waiting for anything: 0 at a first signal that is cold, at a
   * second one that of a process that died of it. One more signal ends the process.
   */
  readonly forced: Promise<number>
}

/**
 * For who is started from terminals and by service managers: the former send Ctrl-C to the whole group, and npm passes
 * its own on, the latter send SIGHUP beside SIGTERM.
 */
export const REPEAT_MS = 500

export interface StopSignalOptions {
  /** Milliseconds in which a second signal counts as the first. @default 0 */
  readonly repeatMs?: number
  /** Which signals wait for nothing. @default none does */
  readonly isCold?: (signal: NodeJS.Signals) => boolean
}

export function watchStopSignals(
  log: Pick<Log, 'info'>,
  { repeatMs = 0, isCold = () => false }: StopSignalOptions = {},
): StopSignals {
  let ask: (signal: NodeJS.Signals) => void = () => undefined
  let force: (exitCode: number) => void = () => undefined
  const asked = new Promise<NodeJS.Signals>((resolve) => (ask = resolve))
  const forced = new Promise<number>((resolve) => (force = resolve))
  let last: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  let isForced = false

  const receive = (signal: NodeJS.Signals, number: number): void => {
    const at = performance.now()
    const isSoon = last !== undefined && at - last.at < repeatMs
    if (isSoon && (signal === last?.signal || !isCold(signal))) return
    const isFirst = last === undefined
    last = { signal, at }
    if (isForced) process.exit(128 + number)
    ask(signal)
    isForced = !isFirst || isCold(signal)
    log.info({ signal }, isForced ? 'stopping at once' : 'stopping; a second signal stops at once')
    if (isForced) force(isFirst ? 0 : 128 + number)
  }
  for (const [signal, number] of SIGNALS) process.on(signal, () => receive(signal, number))
  return { asked, forced }
}

/** Resolves when the process is asked to end. A second signal ends it at once; see {@link watchStopSignals}. */
export function stopRequested(
  log: Pick<Log, 'info'>,
  options: StopSignalOptions = {},
): Promise<NodeJS.Signals> {
  const { asked, forced } = watchStopSignals(log, options)
  void forced.then((exitCode) => process.exit(exitCode))
  return asked
}
