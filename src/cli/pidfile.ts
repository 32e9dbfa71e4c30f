import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { CommandFailedError } from './errors.js'

/**
 * Celery's `--pidfile`: holds this process's id until it ends. An empty name stands for none, as there.
 *
 * @throws CommandFailedError where the process that another run has left in it is alive, or it cannot be written.
 */
export function writePidfile(file: string): void {
  if (file === '') return
  const other = runningIn(file)
  if (other !== undefined) throw new CommandFailedError(`${file}: process ${other} runs already`)
  try {
    writeFileSync(file, `${process.pid}\n`)
  } catch (error) {
    throw new CommandFailedError(`--pidfile ${file}: ${(error as Error).message}`, { cause: error })
  }
  process.once('exit', () => rmSync(file, { force: true }))
}

function runningIn(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return undefined
    process.kill(pid, 0)
    return pid
  } catch {
    // There is no such file, or no such process any more.
    return undefined
  }
}
