import { spawn, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isPlainRecord } from '../serialization/plain-record.js'
import { REPEAT_MS, watchStopSignals } from '../stop-requested.js'
import { watchFiles } from './watch-files.js'
import type { Log } from '../log.js'

/** Has Node.js tell the parent what it loads; that of `node --watch` as well. */
const REPORTS = 'WATCH_REPORT_DEPENDENCIES'
const WATCH_PARENT = new URL('../start/watch-parent.js', import.meta.url)

/** Whether somebody restarts this process when what it has loaded changes. */
export function isReloaded(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env[REPORTS])
}

/** An environment for children that tell their parent other things. */
export function withoutReports(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== REPORTS))
}

interface Ended {
  readonly exitCode: number
  /** `exit code 2`, `SIGKILL` */
  readonly how: string
}

/**
 * Run this very command in a child, and again whenever a source file changes that it has loaded. Each stops as it does
 * when it is asked to, so that tasks are finished or handed back. One that fails is tried again after the next change.
 *
 * @param entry - File that is watched whatever becomes of loading it.
 * @returns the exit code, when it was asked to stop or the child has ended well by itself.
 */
export async function runReloading(entry: string | undefined, log: Log): Promise<number> {
  const files = watchFiles()
  if (entry !== undefined) files.add(entry)
  let isStopping = false
  const { asked, forced } = watchStopSignals(log, {
    repeatMs: REPEAT_MS,
    isCold: (signal) => signal === 'SIGQUIT',
  })
  const stopping = asked.then(() => void (isStopping = true))
  try {
    for (;;) {
      const change = files.nextChange()
      const child = startAgain(files.add)
      void forced.then(() => child.kill('SIGQUIT'))
      // One more signal ends this process at once, and with it the other.
      const kill = (): void => void child.kill('SIGKILL')
      process.once('exit', kill)
      const ended = endOf(child).finally(() => process.off('exit', kill))
      let changed = await Promise.race([change, stopping, ended.then(() => undefined)])
      if (changed !== undefined) {
        log.warn({}, `${path.relative('', changed)} has changed; restarting when running tasks have ended`)
      }
      if (isStopping || changed !== undefined) child.kill('SIGTERM')
      const { exitCode, how } = await ended
      if (isStopping) return exitCode
      if (changed !== undefined) continue
      if (exitCode === 0) return 0
      log.error({}, `the worker has ended (${how}); it starts again when a file changes`)
      changed = (await Promise.race([change, stopping])) ?? undefined
      if (changed === undefined) return exitCode
      log.warn({}, `${path.relative('', changed)} has changed; starting`)
    }
  } finally {
    files.close()
  }
}

function startAgain(onLoaded: (file: string) => void): ChildProcess {
  const [node = '', ...words] = process.argv
  const child = spawn(node, [...process.execArgv, '--import', WATCH_PARENT.href, ...words], {
    env: { ...process.env, [REPORTS]: '1' },
    // Ctrl-C in the terminal reaches this process alone.
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  child.on('message', (message: unknown) => {
    if (!isPlainRecord(message)) return
    for (const loaded of [message['watch:import'], message['watch:require']]) {
      if (Array.isArray(loaded)) loaded.map(fileOf).forEach((file) => file !== undefined && onLoaded(file))
    }
  })
  return child
}

/** Undefined for what is no file of the user's. */
function fileOf(loaded: unknown): string | undefined {
  if (typeof loaded !== 'string') return undefined
  const file = loaded.startsWith('file:') ? fileURLToPath(loaded.replace(/[?#].*$/, '')) : loaded
  return path.isAbsolute(file) && !file.includes(`${path.sep}node_modules${path.sep}`) ? file : undefined
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ exitCode: 1, how: error.message }))
    child.once('exit', (code, signal) => {
      resolve({ exitCode: code ?? 1, how: signal ?? `exit code ${code}` })
    })
  })
}
