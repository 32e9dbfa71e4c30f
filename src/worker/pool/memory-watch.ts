/** How often the memory of a child is looked at: so much longer it may live beyond its limit. */
const LOOK_MS = 200

export interface MemoryWatch {
  /** Whether the child was ended for its memory. */
  readonly wasExceeded: boolean
  start(): void
  stop(): void
}

export interface MemoryWatchParts {
  /** undefined: any amount. */
  readonly limitKib: number | undefined
  /** What the child has now; undefined where that cannot be told. */
  readonly memoryKib: () => Promise<number | undefined>
  /** What it has to do now. */
  readonly job: () => unknown
  readonly kill: () => void
}

/** End a child that takes more memory than it may, whatever it does. */
export function createMemoryWatch({ limitKib, memoryKib, job, kill }: MemoryWatchParts): MemoryWatch {
  let wasExceeded = false
  let isLooking = false
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    // What computes in one step of native code answers after it.
    if (isLooking || wasExceeded) return
    const before = job()
    isLooking = true
    const kib = await memoryKib()
    isLooking = false
    // What one job has taken is not held against the next one.
    if (kib === undefined || kib <= (limitKib ?? Infinity) || job() !== before) return
    wasExceeded = true
    kill()
  }
  return {
    get wasExceeded() {
      return wasExceeded
    },
    start() {
      if (limitKib !== undefined) timer = setInterval(() => void look(), LOOK_MS)
    },
    stop: () => clearInterval(timer),
  }
}
