export type Work = () => void | Promise<void>

/** A number of places, each for one piece of work at a time, and a line in front of them. */
export interface Slots {
  readonly concurrency: number
  /** How many are taken. */
  readonly active: number
  /** How many wait for one. */
  readonly reserved: number
  /** Run `work` as soon as a slot is free. It must not throw; the slot is its own until it settles. */
  submit(work: Work): void
  /**
   * From now on, slots go in turn to the line and to others, and all to the one that has work where only one has.
   *
   * @param next - The others' next work; undefined: they have none at the moment.
   * @returns to be called when they have some again.
   */
  shareWith(next: () => Work | undefined): () => void
  /** Forget what waits in line. */
  clear(): void
  /** Resolves when nothing runs. */
  idle(): Promise<void>
  /** Where there are fewer, the work in the others goes on to its end. */
  resize(concurrency: number): void
  /** Call `listener` whenever there are more than before. */
  onGrow(listener: () => void): void
}

export function createSlots(initial: number): Slots {
  let concurrency = initial
  let active = 0
  let line: (Work | undefined)[] = []
  /** Index of the head: shifting an array of thousands is slow. */
  let head = 0
  let onIdle: (() => void)[] = []
  const onGrow: (() => void)[] = []

  const next = (): Work | undefined => {
    const work = line[head]
    if (work === undefined) return undefined
    // What has begun holds on to its message, which is not to live until the line is cut.
    line[head] = undefined
    if (++head > 1024 && head * 2 > line.length) {
      line = line.slice(head)
      head = 0
    }
    return work
  }

  /** Undefined: there is nothing but the line. */
  let others: (() => Work | undefined) | undefined
  let isOthersTurn = false
  const inTurn = (nextOfOthers: () => Work | undefined): Work | undefined => {
    const work = isOthersTurn ? nextOfOthers() : next()
    if (work === undefined) return isOthersTurn ? next() : nextOfOthers()
    isOthersTurn = !isOthersTurn
    return work
  }

  const finished = (): void => {
    active--
    drain()
    if (active > 0) return
    for (const resolve of onIdle) resolve()
    onIdle = []
  }

  const drain = (): void => {
    while (active < concurrency) {
      const work = others === undefined ? next() : inTurn(others)
      if (work === undefined) return
      active++
      const running = work()
      if (running === undefined) active--
      else void running.then(finished, finished)
    }
  }

  return {
    get concurrency() {
      return concurrency
    },
    get active() {
      return active
    },
    get reserved() {
      return line.length - head
    },
    submit(work) {
      line.push(work)
      drain()
    },
    shareWith(nextOfOthers) {
      others = nextOfOthers
      return drain
    },
    clear() {
      line = []
      head = 0
    },
    idle: () => (active === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),
    resize(count) {
      const isMore = count > concurrency
      concurrency = count
      drain()
      if (isMore) for (const listener of onGrow) listener()
    },
    onGrow: (listener) => void onGrow.push(listener),
  }
}
