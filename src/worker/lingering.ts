import type { Execution } from './pool/pool.js'
import type { Log } from '../log.js'
import type { Request } from './request.js'

/** A run whose task was ended, and whose function was not. */
export interface LingeringRun {
  readonly request: Request
  /** Of one that may be ended by force all the same. */
  readonly execution?: Execution | undefined
  /** By {@link Clock.passedMs}. */
  readonly startedAt: number
}

/**
 * Functions that go on although their tasks were ended, by a hard time limit or by whoever terminated them. On the event
 * loop all that can be done is to abort their signal, and to say so where they ignore it; in a child they
 * do so after a signal that leaves the end to them, until a stronger one.
 */
export interface Lingering {
  readonly count: number
  /** The oldest of them, for those who ask what runs. */
  list(): readonly LingeringRun[]
  /** Those of a task that may be ended by force. */
  endable(taskId: string): readonly Execution[]
  /**
   * @param why - `was terminated`
   * @param returned - settles when the function has returned.
   */
  watch(run: LingeringRun, why: string, returned: Promise<unknown>): void
}

/** For functions that listen to their signal and have something to put in order. */
const GRACE_MS = 2000
/** Each task is told of so often at most. */
const QUIET_MS = 60_000
const MOST_LISTED = 100

export function createLingering(log: Log): Lingering {
  const runs = new Set<LingeringRun>()
  const toldAt = new Map<string, number>()

  const tell = ({ request: { message }, execution }: LingeringRun, why: string): void => {
    const { id, task } = message
    const now = performance.now()
    if (now - (toldAt.get(task) ?? -Infinity) < QUIET_MS) return
    toldAt.set(task, now)
    const text = `Task ${task}[${id}] ${why} but goes on, as its function ignores its signal`
    const advice = execution === undefined ? 'run it in a pool of threads or processes' : 'SIGKILL ends it'
    log.warn({ taskId: id, task, lingering: runs.size }, `${text}: ${advice}`)
  }

  return {
    get count() {
      return runs.size
    },
    list: () => [...runs].slice(0, MOST_LISTED),
    endable: (taskId) =>
      [...runs].flatMap(({ request, execution }) =>
        execution !== undefined && request.message.id === taskId ? [execution] : [],
      ),
    watch(run, why, returned) {
      runs.add(run)
      const timer = setTimeout(() => tell(run, why), GRACE_MS).unref()
      const end = (): void => {
        clearTimeout(timer)
        runs.delete(run)
      }
      returned.then(end, end)
    },
  }
}
