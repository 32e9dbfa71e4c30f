/** How often the memory of a child is looked at: so much longer it may live beyond its limit. */
const LOOK_MS = 200

export interface MemoryWatch {
  /** Whether the child was ended for its memory. */
  readonly wasExceeded: boolean
  start(): void
  stop(): void
}

/**
 * End a child that takes more memory than it may, whatever it does.
 *
 * @param limitKib - undefined: any amount.
 * @param memoryKib - what it has now; undefined where that cannot be told.
 */
export function createMemoryWatch(
  limitKib: number | undefined,
  memoryKib: () => Promise<number | undefined>,
  kill: () => void,
): MemoryWatch {
  let wasExceeded = false
  let timer: NodeJS.Timeout | undefined
  const look = async (): Promise<void> => {
    const kib = await memoryKib()
    if (wasExceeded || kib === undefined || kib <= (limitKib ?? Infinity)) return
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
