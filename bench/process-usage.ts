import { readdir, readFile } from 'node:fs/promises'

/** What a process and those that it started have used. */
export interface ProcessUsage {
  /** User and system time. */
  readonly cpuSeconds: number
  /** What they occupy now; pages that several of them share count once. */
  readonly memoryMegabytes: number
}

/** Ticks of /proc, which Linux has fixed at 100 a second for user programs. */
const TICKS_PER_SECOND = 100

/** @param session - Id of the process that was started as the leader of its session. */
export async function processUsage(session: number): Promise<ProcessUsage> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const usages = await Promise.all(names.map((name) => usageOf(name, session)))
  return {
    cpuSeconds: usages.reduce((sum, usage) => sum + usage.cpuSeconds, 0),
    memoryMegabytes: usages.reduce((sum, usage) => sum + usage.memoryMegabytes, 0),
  }
}

const NOTHING: ProcessUsage = { cpuSeconds: 0, memoryMegabytes: 0 }

async function usageOf(pid: string, session: number): Promise<ProcessUsage> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything; fields are counted from the state behind it, which is the third.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const field = (number: number): number => Number(fields[number - 3])
    if (field(6) !== session) return NOTHING
    const memory = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
    const proportionalKilobytes = /^Pss:\s+(\d+) kB$/m.exec(memory)?.[1]
    return {
      cpuSeconds: (field(14) + field(15)) / TICKS_PER_SECOND,
      memoryMegabytes: Number(proportionalKilobytes) / 1024,
    }
  } catch (error) {
    // Processes come and go while they are listed.
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return NOTHING
    throw error
  }
}
