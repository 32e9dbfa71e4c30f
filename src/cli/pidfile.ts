import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { AlreadyRunsError, CommandFailedError } from './errors.js'

/**
 * Celery's `--pidfile`: holds this process's id until it ends. An empty name stands for none, as there. What a process
 * that is gone has left is replaced, which a line says.
 *
 * @throws AlreadyRunsError where the process that another run has left in it is alive, CommandFailedError where it
 *   cannot be read or written.
 */
export function writePidfile(file: string): void {
  if (file === '') return
  try {
    replaceStale(file)
    writeFileSync(file, `${process.pid}\n`, { flag: 'wx' })
  } catch (error) {
    if (error instanceof AlreadyRunsError) throw error
    throw new CommandFailedError(`--pidfile ${file}: ${(error as Error).message}`, { cause: error })
  }
  process.once('exit', () => rmSync(file, { force: true }))
}

function replaceStale(file: string): void {
  const text = readIfThere(file)
  if (text === undefined) return
  const pid = /^\d+\n?$/.test(text) ? Number(text) : undefined
  if (pid !== undefined && isAlive(pid)) {
    throw new AlreadyRunsError(`${file}: process ${pid} runs already`)
  }
  if (pid !== process.pid) {
    const what = pid === undefined ? 'it holds no process id' : `process ${pid} is gone`
    process.stderr.write(`warning: --pidfile ${file} is replaced: ${what}\n`)
  }
  rmSync(file, { force: true })
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether it is another process than this one. One that belongs to somebody else is none of ours, as Celery has it. */
function isAlive(pid: number): boolean {
  if (pid === 0 || pid === process.pid) return false
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
