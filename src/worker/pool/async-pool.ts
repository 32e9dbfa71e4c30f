import type { Pool } from './pool.js'

type Work = () => void | Promise<void>

/**
 * Runs tasks on the event loop: for tasks that wait for others more than they compute. What computes for long
 * holds up everything in its process, the renewal of leases included.
 */
export function createAsyncPool(concurrency: number): Pool {
  let active = 0
  let line: Work[] = []
  /** Index of the head: shifting an array of thousands is slow. */
  let head = 0
  let onIdle: (() => void)[] = []

  const next = (): Work | undefined => {
    const work = line[head]
    if (work === undefined) return undefined
    if (++head > 1024 && head * 2 > line.length) {
      line = line.slice(head)
      head = 0
    }
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
      const work = next()
      if (work === undefined) return
      active++
      const running = work()
      if (running === undefined) active--
      else void running.then(finished, finished)
    }
  }

  return {
    concurrency,
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
    clear() {
      line = []
      head = 0
    },
    idle: () => (active === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),
  }
}
