import { fullJitterMs } from '../../backoff.js'
import { createMemoryWatch } from './memory-watch.js'
import { startReadyChild, type AtWork, type ReadyChildParts } from './ready-child.js'
import type { Child, ChildEnd } from './child/child.js'
import type { ToChild } from './child/messages.js'
import type { Log } from '../../log.js'

/** What whoever has a child's time is told. */
export interface Job {
  onMessage(message: AtWork): void
  /** The child has more memory than it may, and is about to be killed. */
  onMemoryExceeded(): void
  onLost(end: ChildEnd): void
}

/** A child that is there for one job. */
export interface Member {
  /** Of the process or the thread. */
  readonly id: number
  send(this: void, message: ToChild): void
  signal(this: void, signal: NodeJS.Signals): void
  kill(this: void): void
}

/**
 * The children of a pool: as many as are wanted, replaced when they die, and when they have run so many tasks or taken so
 * much memory.
 *
 * A child is starting, idle, at work, or leaving; one that leaves is told to end and counts no more.
 */
export interface Staff {
  readonly ids: readonly number[]
  /** How many tasks were given to each child, counted on by those that replace it. */
  readonly writes: readonly number[]
  /** Resolves when all are there, ready for work. @throws PoolStartError where one is not; then none is there. */
  start(): Promise<void>
  /** Resolves when a child is free for this job; `undefined` when `signal` aborted before, or all is over. */
  assign(job: Job, signal: AbortSignal): Promise<Member | undefined>
  /** Resolves when so many are there. */
  resize(count: number): Promise<void>
  /** Replace all: at once those that are idle, the others when their tasks have ended. */
  restart(this: void): void
  /** End those that are idle, and kill the others. Resolves when all have ended. */
  stop(): Promise<void>
}

export interface StaffParts extends ReadyChildParts {
  readonly count: number
  /** After so many tasks a child is replaced; undefined: never. */
  readonly maxTasks: number | undefined
  /** KiB after which a child is replaced when its task has ended; undefined: never. */
  readonly maxMemoryKib: number | undefined
  readonly log: Log
}

interface Entry extends Member {
  readonly child: Child
  /** Its index in {@link Staff.writes}. */
  readonly place: number
  job: Job | undefined
  tasksRun: number
  /** It gets no other job: it is about to die. */
  isDoomed: boolean
  /** It is replaced as soon as it has nothing to do. */
  isToLeave: boolean
}

const BACKOFF = { firstMs: 100, longestMs: 10_000 }
/** Signals that children pass over. */
const SURVIVED: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])
/** For a child to close its connections when it leaves. */
const LEAVE_MS = 5000

export function createStaff(parts: StaffParts): Staff {
  const { maxTasks = Infinity, maxMemoryKib = Infinity, memoryLimitKib, log } = parts
  let wanted = parts.count
  let isOver = false
  let failures = 0
  let pause: NodeJS.Timeout | undefined
  const members = new Set<Entry>()
  /** All that have not ended, those that leave included. */
  const living = new Set<Promise<unknown>>()
  const idle: Entry[] = []
  const writes: number[] = []
  const waiting: ((entry: Entry) => void)[] = []

  /** Resolves when it is ready for work. */
  const hire = async (): Promise<void> => {
    let isReady = false
    const { child, ready } = startReadyChild(parts, (message) => onMessage(entry, message))
    const entry: Entry = {
      child,
      id: child.id,
      place: freePlace(),
      job: undefined,
      tasksRun: 0,
      isDoomed: false,
      isToLeave: false,
      send: child.send,
      signal(signal) {
        entry.isDoomed ||= !SURVIVED.has(signal)
        child.signal(signal)
      },
      kill() {
        entry.isDoomed = true
        child.kill()
      },
    }
    members.add(entry)
    const memory = createMemoryWatch({
      limitKib: memoryLimitKib,
      memoryKib: child.memoryKib,
      job: () => entry.job,
      kill() {
        withdraw(entry)
        entry.job?.onMemoryExceeded()
        entry.kill()
      },
    })
    const ended = child.ended.then(({ how, cause }) => {
      memory.stop()
      living.delete(ended)
      if (!isReady) return
      const why = memory.wasExceeded ? `, for more than ${memoryLimitKib} KiB of memory` : ''
      onEnd(entry, { how: how + why, cause })
    })
    living.add(ended)
    try {
      await ready
    } catch (error) {
      members.delete(entry)
      throw error
    }
    isReady = true
    memory.start()
    offer(entry)
    refill()
  }

  /** The first that no child has. */
  const freePlace = (): number => {
    const taken = new Set([...members].map(({ place }) => place))
    let place = 0
    while (taken.has(place)) place++
    writes[place] ??= 0
    return place
  }

  const refill = (): void => {
    while (!isOver && pause === undefined && members.size < wanted) {
      void hire().then(
        () => (failures = 0),
        (error: unknown) => {
          if (isOver) return
          log.error({ err: error }, 'a child of the pool did not start; trying again')
          pause ??= setTimeout(
            () => {
              pause = undefined
              refill()
            },
            fullJitterMs(++failures, BACKOFF),
          )
        },
      )
    }
  }

  const onMessage = (entry: Entry, message: AtWork): void => {
    const { job } = entry
    if (message.type === 'ask') {
      job?.onMessage(message)
      return
    }
    entry.job = undefined
    entry.tasksRun++
    // Free before its task is concluded: the next one may begin meanwhile.
    const isSpent = entry.tasksRun >= maxTasks || (message.memoryKib ?? 0) > maxMemoryKib
    // What its task did at last was on its way when the child was told to die.
    if (entry.isDoomed) entry.kill()
    else if (isSpent) dismiss(entry)
    else offer(entry)
    refill()
    job?.onMessage(message)
  }

  const onEnd = (entry: Entry, end: ChildEnd): void => {
    const { job } = entry
    const wasExpected = !members.delete(entry)
    withdraw(entry)
    entry.job = undefined
    if (!wasExpected && !isOver && job === undefined)
      log.warn({ child: entry.id }, `a child of the pool died: ${end.how}`)
    refill()
    job?.onLost(end)
  }

  const withdraw = (entry: Entry): void => {
    const place = idle.indexOf(entry)
    if (place >= 0) idle.splice(place, 1)
  }

  const offer = (entry: Entry): void => {
    if (!members.has(entry)) return
    if (entry.isToLeave || members.size > wanted) {
      dismiss(entry)
      return
    }
    const take = waiting.shift()
    if (take === undefined) idle.push(entry)
    else take(entry)
  }

  const dismiss = (entry: Entry): void => {
    members.delete(entry)
    entry.send({ type: 'stop' })
    const timer = setTimeout(entry.kill, LEAVE_MS)
    void entry.child.ended.then(() => clearTimeout(timer))
  }

  const dismissIdle = (): void => {
    for (const entry of idle.splice(0, Math.max(0, members.size - wanted))) dismiss(entry)
  }

  const allEnded = async (): Promise<void> => {
    while (living.size > 0) await Promise.all(living)
  }

  const stop = async (): Promise<void> => {
    isOver = true
    wanted = 0
    clearTimeout(pause)
    dismissIdle()
    for (const entry of members) entry.kill()
    await allEnded()
  }

  return {
    get ids() {
      return [...members].map(({ id }) => id)
    },
    get writes() {
      return writes.slice(0, Math.max(0, ...[...members].map(({ place }) => place + 1)))
    },
    async start() {
      try {
        await Promise.all(Array.from({ length: wanted }, hire))
      } catch (error) {
        await stop()
        throw error
      }
    },
    assign(job, signal) {
      const give = (entry: Entry): Entry => {
        entry.job = job
        writes[entry.place] = (writes[entry.place] ?? 0) + 1
        return entry
      }
      const free = idle.pop()
      if (free !== undefined) return Promise.resolve(give(free))
      return new Promise((resolve) => {
        const take = (entry: Entry): void => {
          signal.removeEventListener('abort', giveUp)
          resolve(give(entry))
        }
        const giveUp = (): void => {
          const place = waiting.indexOf(take)
          if (place >= 0) waiting.splice(place, 1)
          resolve(undefined)
        }
        waiting.push(take)
        signal.addEventListener('abort', giveUp, { once: true })
        if (signal.aborted) giveUp()
      })
    },
    async resize(count) {
      wanted = count
      dismissIdle()
      // Whoever asks is told when it fails, and what is missing is tried again as ever.
      const missing = Math.max(0, wanted - members.size)
      try {
        await Promise.all(Array.from({ length: missing }, hire))
      } catch (error) {
        refill()
        throw error
      }
    },
    restart() {
      for (const entry of members) entry.isToLeave = true
      for (const entry of idle.splice(0)) dismiss(entry)
      refill()
    },
    stop,
  }
}
