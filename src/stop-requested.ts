import type { Log } from './log.js'

/**
 * Resolves when the process is asked to end: SIGTERM, SIGINT, SIGHUP or SIGQUIT. A second of them ends it at once, with the
 * exit code of a process that died of it.
 *
 * @param repeatMs - Milliseconds in which a second signal counts as the first: a terminal sends Ctrl-C to the whole
 *   group, and npm passes its own on, too. @default 0
 */
export function stopRequested(log: Pick<Log, 'info'>, { repeatMs = 0 } = {}): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined
    for (const [signal, number] of [
      ['SIGHUP', 1],
      ['SIGINT', 2],
      ['SIGQUIT', 3],
      ['SIGTERM', 15],
    ] as const) {
      process.on(signal, () => {
        const now = performance.now()
        if (firstAt === undefined) {
          firstAt = now
          log.info({ signal }, 'stopping; a second signal stops at once')
          resolve(signal)
        } else if (now - firstAt >= repeatMs) {
          process.exit(128 + number)
        }
      })
    }
  })
}
