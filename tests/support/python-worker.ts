import { randomUUID } from 'node:crypto'
import { PYTHON_DIRECTORY, pytasksEnvironment, pythonProgram, type PytasksSettings } from './python.js'
import { startProcess, type Exit } from './start-process.js'

export interface PythonWorkerOptions extends PytasksSettings {
  /** @default ['celery'] */
  readonly queues?: readonly string[]
  /** @default 1 */
  readonly concurrency?: number
  /** `prefork` is what most installations run; `solo` and `threads` start faster. @default 'prefork' */
  readonly pool?: 'prefork' | 'threads' | 'solo'
  /** The part of its node name before the `@`. @default a unique one */
  readonly name?: string
  /** Further flags; gossip and mingle cost a second at the start and are off unless `chatty`. */
  readonly args?: readonly string[]
  readonly chatty?: boolean
}

export interface PythonWorker extends AsyncDisposable {
  readonly pid: number
  /** As in `celery inspect`: `name@host`. */
  readonly nodeName: string
  /** Everything it logged so far. */
  log(): string
  /** The first line of its log that matches, past or to come. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>
  /** A warm shutdown (SIGTERM), waited for. */
  stop(graceMs?: number): Promise<Exit>
  /** SIGKILL to it and its pool, as the kernel does when memory runs out. */
  kill(): Promise<Exit>
}

/** Start a Python worker with the tasks of pytasks.py; it is ready when this resolves, killed when the test ends. */
export async function startPythonWorker(options: PythonWorkerOptions): Promise<PythonWorker> {
  const { queues = ['celery'], concurrency = 1, pool = 'prefork', args = [], chatty = false } = options
  const nodeName = `${options.name ?? `py-${randomUUID().slice(0, 8)}`}@interop`
  const worker = startProcess(
    pythonProgram(options.python),
    [
      ...['-m', 'celery', '-A', 'pytasks', 'worker', '--loglevel', 'INFO', '--hostname', nodeName],
      ...['--queues', queues.join(','), '--concurrency', String(concurrency), '--pool', pool],
      ...(chatty ? [] : ['--without-gossip', '--without-mingle']),
      ...args,
    ],
    { cwd: PYTHON_DIRECTORY, env: pytasksEnvironment(options) },
  )
  await worker.waitForLine(/@interop ready\./, 60_000)
  return {
    pid: worker.pid,
    nodeName,
    log: () => worker.output(),
    waitForLine: (pattern, timeoutMs) => worker.waitForLine(pattern, timeoutMs),
    stop: (graceMs = 30_000) => worker.stop(graceMs),
    kill: () => worker.kill(),
    [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
  }
}
