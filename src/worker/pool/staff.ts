import { fullJitterMs } from '../../backoff.js'
import { LovageError } from '../../errors.js'
import type { Child, StartChild } from './child/child.js'
import type { FromChild, ToChild } from './child/messages.js'
import type { Log } from '../../log.js'

/** Thrown when a worker's children cannot run its tasks. */
export class PoolStartError extends LovageError {
  readonly code = 'POOL_NOT_STARTED'
}

/** What whoever has a child's time is told. */
export interface Job {
  onMessage(message: Extract<FromChild, { type: 'ask' | 'ended' }>): void
  /** @param how - `exitcode 3`, `signal 9 (SIGKILL)` */
  onLost(how: string): void
}

/** A child that is there for one job. */
export interface Member {
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
  /** Resolves when all are there, ready for work. @throws PoolStartError where one is not; then none is there. */
  start(): Promise<void>
  /** Resolves when a child is free for this job; `undefined` when `signal` aborted before, or all is over. */
  assign(job: Job, signal: AbortSignal): Promise<Member | undefined>
  /** Resolves when so many are there. */
  resize(count: number): Promise<void>
  /** End those that are idle, and kill the others. Resolves when all have ended. */
  stop(): Promise<void>
}

export interface StaffParts {
  readonly count: number
  readonly startChild: StartChild
  /** Names of the tasks that each has to know. */
  readonly tasks: () => Iterable<string>
  readonly startTimeoutMs: number
  /** After so many tasks a child is replaced; undefined: never. */
  readonly maxTasks: number | undefined
  /** KiB after which a child is replaced when its task has ended; undefined: never. */
  readonly maxMemoryKib: number | undefined
  readonly log: Log
}

interface Entry extends Member {
  readonly child: Child
  job: Job | undefined
  tasksRun: number
  /** It gets no other job: it is about to die. */
  isDoomed: boolean
}

const BACKOFF = { firstMs: 100, longestMs: 10_000 }
/** Signals that children pass over. */
const SURVIVED: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])
/** For a child to close its connections when it leaves. */
const LEAVE_MS = 5000

export function createStaff(parts: StaffParts): Staff {
  const { startChild, maxTasks = Infinity, maxMemoryKib = Infinity, log } = parts
  let wanted = parts.count
  let isOver = false
  let failures = 0
  let pause: NodeJS.Timeout | undefined
  const members = new Set<Entry>()
  /** All that have not ended, those that leave included. */
  const living = new Set<Promise<unknown>>()
  const idle: Entry[] = []
  const waiting: ((entry: Entry) => void)[] = []

  /** Resolves when it is ready for work. */
  const hire = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let isReady = false
      const child = startChild((message) => {
        if (message.type === 'ready') {
          const missing = [...parts.tasks()].filter((name) => !message.tasks.includes(name))
          if (missing.length > 0) return fail(unknownTasks(missing))
          clearTimeout(timer)
          isReady = true
          offer(entry)
          resolve()
        } else if (message.type === 'failed') fail(`a child of the pool cannot start: ${message.why}`)
        else onMessage(entry, message)
      })
      const entry: Entry = {
        child,
        job: undefined,
        tasksRun: 0,
        isDoomed: false,
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
      const fail = (why: string): void => {
        members.delete(entry)
        child.kill()
        reject(new PoolStartError(why))
      }
      const timer = setTimeout(
        () => fail(`a child of the pool was not ready after ${parts.startTimeoutMs / 1000} s`),
        parts.startTimeoutMs,
      )
      const ended = child.ended.then((how) => {
        clearTimeout(timer)
        living.delete(ended)
        if (isReady) onEnd(entry, how)
        else fail(`a child of the pool ended before it was ready: ${how}`)
      })
      living.add(ended)
    })

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

  const onMessage = (entry: Entry, message: Parameters<Job['onMessage']>[0]): void => {
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

  const onEnd = (entry: Entry, how: string): void => {
    const { job, child } = entry
    const wasExpected = !members.delete(entry)
    const place = idle.indexOf(entry)
    if (place >= 0) idle.splice(place, 1)
    entry.job = undefined
    if (!wasExpected && !isOver && job === undefined)
      log.warn({ child: child.id }, `a child of the pool died: ${how}`)
    refill()
    job?.onLost(how)
  }

  const offer = (entry: Entry): void => {
    if (!members.has(entry)) return
    if (members.size > wanted) {
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
      return [...members].map(({ child }) => child.id)
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
    stop,
  }
}

function unknownTasks(names: readonly string[]): string {
  return (
    `the children of the pool do not know ${names.join(', ')}: a child imports the module of the app and nothing ` +
    'else, so that module has to define its tasks, or import the modules that do'
  )
}
