import { constants } from 'node:fs'
import { access, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { Log } from '../../log.js'
import type { RevokedEntry } from '../../broker/revocations.js'

/** What a worker keeps in a file between its runs: Celery's `--statedb`, in a format of its own. */
export interface WorkerState {
  readonly revoked: readonly RevokedEntry[]
}

export interface StateFile {
  /** Empty where there is none. What cannot be read is said in the log, and left until it is written over. */
  read(): Promise<WorkerState>
  /** Write soon; what is asked for within a second is one write. */
  changed(): void
  /** Write what has changed, now. */
  close(): Promise<void>
}

const WRITE_AFTER_MS = 1000

const entry = z.union([
  z.object({ id: z.string(), at: z.number() }),
  z.object({ stamp: z.tuple([z.string(), z.string()]), at: z.number() }),
])
const format = z.object({ version: z.literal(1), revoked: z.array(entry) })

export function openStateFile(path: string, state: () => WorkerState, log: Log): StateFile {
  let timer: NodeJS.Timeout | undefined
  let writing = Promise.resolve()

  const write = async (): Promise<void> => {
    const revoked = state().revoked.map(({ item, at }) => ({ ...item, at }))
    try {
      // A worker that is killed while it writes leaves the file as it was.
      await writeFile(`${path}.new`, JSON.stringify({ version: 1, revoked }))
      await rename(`${path}.new`, path)
    } catch (error) {
      log.error({ err: error, path }, 'could not write the state file')
    }
  }
  const flush = (): void => {
    timer = undefined
    writing = writing.then(write)
  }

  return {
    async read() {
      try {
        const { revoked } = format.parse(JSON.parse(await readFile(path, 'utf8')))
        return { revoked: revoked.map(({ at, ...item }) => ({ item, at })) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          log.error({ err: error, path }, 'the state file cannot be read; beginning without it')
        // Now, not when the first task is revoked.
        else
          await access(dirname(path), constants.W_OK).catch((reason: unknown) =>
            log.error({ err: reason, path }, 'the state file cannot be written: nothing will be kept'),
          )
        return { revoked: [] }
      }
    },
    changed() {
      timer ??= setTimeout(flush, WRITE_AFTER_MS)
    },
    async close() {
      if (timer !== undefined) {
        clearTimeout(timer)
        flush()
      }
      await writing
    },
  }
}
