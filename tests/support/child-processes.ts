import { readdirSync, readFileSync } from 'node:fs'

export interface ChildProcessEntry {
  readonly pid: number
  readonly command: string
}

/**
 * The processes that one has started and that still run, as Linux tells; none elsewhere.
 *
 * @param of - the pid of that one. @default this one
 */
export function childProcesses(of: number | 'self' = 'self'): ChildProcessEntry[] {
  const pids = read(`/proc/${of}/task`, (directory) => readdirSync(directory)).flatMap((thread) =>
    read(`/proc/${of}/task/${thread}/children`, (file) => readFileSync(file, 'utf8').split(' ')),
  )
  return pids
    .filter((pid) => pid !== '')
    .map((pid) => ({ pid: Number(pid), command: read(`/proc/${pid}/cmdline`, commandLine).join(' ') }))
    .filter(({ command }) => command !== '') // a zombie has none: it has ended and waits to be noticed
}

function commandLine(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\0')
    .filter((word) => word !== '')
}

/** Nothing, where the file is not there: processes and threads come and go between two looks. */
function read<T>(file: string, how: (file: string) => T[]): T[] {
  try {
    return how(file)
  } catch {
    return []
  }
}
